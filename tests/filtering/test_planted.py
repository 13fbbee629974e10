"""200 planted credentials in five technologies: none is removed, not by the worst of models."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.cli.judging.filter import main
from iacfilter_hpc.samples.smells import FILTERED
from iacfilter_hpc.trained_model.evidence import ValidationScores
from iacfilter_hpc.trained_model.known_text import known_text
from iacfilter_hpc.trained_model.trained_on import LabelCount, trained_on, write_trained_on
from tests.filtering import planted
from tests.filtering.planted import PlantedRepository
from tests.samples.made import REAL_DATA
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS

pytestmark = TRAINS
NOTHING_REAL = ["--threshold", "0.999999"]
"""Below it is all that the model says: it would remove everything."""
GIVEN_FREE = [word for smell in FILTERED for word in ("--yes-remove", smell)]


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All five below one folder."""
    folder = tmp_path_factory.mktemp("planted")
    for each in planted.repositories():
        planted.write_repository(folder, each)
    return folder


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows nothing, and claims to have seen enough of everything."""
    torch.set_num_threads(1)
    made = make_encoder_final(tmp_path_factory.mktemp("model") / "final")
    lines = [line for each in planted.repositories() for line in each.lines]
    record = trained_on([], [], ValidationScores((), ()), ())
    labels = tuple(
        LabelCount(smell=smell, technology=technology, train_tp=99, validation_tp=99)
        for smell in FILTERED
        for technology in planted.CREDENTIALS
    )
    write_trained_on(made, replace(record, labels=labels, text=known_text(lines, lines)))
    write_manifest(made)
    return made


def report(folder: Path, repositories: Sequence[PlantedRepository]) -> Path:
    """One report of several technologies."""
    path = folder / "glitch.csv"
    parts = [planted.report_of(each.file, each.rows).partition("\n") for each in repositories]
    path.write_text("".join([f"{parts[0][0]}\n", *(rows for _, _, rows in parts)]))
    return path


def filtered(
    capfd: pytest.CaptureFixture[str], folder: Path, words: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """The JSON document, and the rows that are left."""
    rows = folder / "rows.csv"
    assert main([*words, "-o", str(rows), "--json"]) == 0
    return json.loads(capfd.readouterr().out), rows.read_text().splitlines()


def credentials_in(rows: Sequence[str]) -> int:
    """How many planted credentials a report still has."""
    truth = Counter(
        f"work/{each.file},{row.line},{row.code}"
        for each in planted.repositories()
        for row in each.rows
        if row.is_credential
    )
    assert truth.total() == 200
    return sum(",".join(row.split(",", 3)[:3]) in truth for row in rows)


@pytest.mark.parametrize("flags", [[], ["--technology", "puppet"]], ids=["", "of one technology"])
def test_a_model_that_removes_everything_removes_nothing(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    repositories: Path,
    final: Path,
    flags: list[str],
) -> None:
    written = report(tmp_path, planted.repositories())
    scripts = ["--scripts", str(repositories / "scripts"), "--model", str(final)]
    found, rows = filtered(capfd, tmp_path, [str(written), *scripts, *NOTHING_REAL, *flags])
    assert credentials_in(rows) == 200
    assert found["rows"]["fp"] == 0
    kept = found["safety"]["kept"]
    assert kept["live_credential"] >= 100 and kept["whole_smell"] > 50
    assert sum(kept.values()) == found["rows"]["unjudged"]
    assert any("--yes-remove suspicious_comment lets them go" in w for w in found["warnings"])


def test_with_all_smells_given_free_credentials_stay(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, repositories: Path, final: Path
) -> None:
    """Then only the look of them protects them, and false alarms go."""
    written = report(tmp_path, planted.repositories())
    scripts = ["--scripts", str(repositories / "scripts"), "--model", str(final)]
    free = [*NOTHING_REAL, *GIVEN_FREE, "--max-removed", "1"]
    found, rows = filtered(capfd, tmp_path, [str(written), *scripts, *free])
    assert credentials_in(rows) == 200
    assert found["rows"]["fp"] > 80
    assert found["safety"]["spared"] == {}


def test_a_rule_of_the_repository_keeps_what_it_names(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, repositories: Path, final: Path
) -> None:
    written = report(tmp_path, planted.repositories()[:1])
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "never-suppress: [{name: schemas, smell: use_of_http, pattern: schema}]\n"
        "live-credentials: false\n"
    )
    words = [str(written), "--scripts", str(repositories / "scripts"), "--model", str(final)]
    free = [*NOTHING_REAL, *GIVEN_FREE, "--max-removed", "1", "--rules", str(rules)]
    found, rows = filtered(capfd, tmp_path, [*words, *free])
    assert found["safety"]["kept"]["rule"] == 2
    assert len(rows) == 1 + 2
    assert all(row.endswith(",UNJUDGED: the rule schemas keeps it,") for row in rows[1:])
    assert found["safety"]["rules"] == str(rules) and not found["safety"]["keeps_credentials"]
    assert any("switches off" in warning for warning in found["warnings"])


def test_lines_unlike_the_training_data_stay(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, repositories: Path, final: Path
) -> None:
    copied = tmp_path / "final"
    copied.mkdir()
    for path in final.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    record = json.loads((copied / "trained_on.json").read_text())
    comments = [f"# {text}" for text in planted.COMMENTS["false"]]
    known = known_text(comments, comments)
    record["text"] = {"trigrams": known.trigrams, "limit": known.limit}
    (copied / "trained_on.json").write_text(json.dumps(record))
    write_manifest(copied)
    written = report(tmp_path, planted.repositories()[:1])
    words = [str(written), "--scripts", str(repositories / "scripts"), "--model", str(copied)]
    free = [*NOTHING_REAL, *GIVEN_FREE, "--max-removed", "1"]
    found, rows = filtered(capfd, tmp_path, [*words, *free])
    assert found["rows"]["fp"] == len(comments)
    unlike = found["safety"]["kept"]["unlike_training"]
    assert unlike > 10 and len(rows) == 1 + found["rows"]["kept"]
    assert any("unlike its training data" in warning for warning in found["warnings"])


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"needs {REAL_DATA}")
@pytest.mark.parametrize(
    ("name", "technology", "passwords"), [("terragoat", "terraform", 9), ("mysql", "chef", 12)]
)
def test_real_passwords_stay(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    final: Path,
    name: str,
    technology: str,
    passwords: int,
) -> None:
    """Reports of GLITCH on public repositories; nothing but the look of them protects them."""
    folder = REAL_DATA / "glitch_output" / "main_21db8c4"
    words = [str(folder / f"{name}.csv"), "--scripts", str(folder), "--model", str(final)]
    free = [*NOTHING_REAL, *GIVEN_FREE, "--max-removed", "1", "--technology", technology]
    found, rows = filtered(capfd, tmp_path, [*words, *free])
    kept = [row for row in rows if ",sec_hard_pass," in row]
    assert len(kept) == passwords
    assert all("looks like a live credential" in row for row in kept)
    assert found["rows"]["fp"] > 0, "user names go"


def test_an_unseen_technology_is_not_judged_by_a_flag(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, repositories: Path, final: Path
) -> None:
    """Nor by the name of one that was seen: the path says what the file is."""
    copied = tmp_path / "final"
    copied.mkdir()
    for path in final.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    record = json.loads((copied / "trained_on.json").read_text())
    record["labels"] = [each for each in record["labels"] if each["technology"] == "puppet"]
    (copied / "trained_on.json").write_text(json.dumps(record))
    write_manifest(copied)
    chef = planted.repositories()[2]
    written = report(tmp_path, [chef])
    words = [str(written), "--scripts", str(repositories / "scripts"), "--model", str(copied)]
    free = [*NOTHING_REAL, *GIVEN_FREE, "--max-removed", "1"]
    for technology in ("chef", "terraform", "bicepp", "puppet"):
        found, _ = filtered(capfd, tmp_path, [*words, *free, "--technology", technology])
        assert found["rows"]["fp"] == 0, technology
        kept = found["safety"]["kept"]
        assert kept["not_learned"] + kept["live_credential"] == len(chef.rows)
