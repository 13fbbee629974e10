"""final/manifest.json: what is missing or changed is named, and nothing else matters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.manifest import model_sha256, verify
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.files import sha256_of
from tests.made_models import make_final
from tests.made_runs import DEMO

FILES = ("decision.json", "seen.json", "trained_on.json", "validation_scores.json")


@pytest.fixture
def final(tmp_path: Path) -> Path:
    make_final(tmp_path / "final", DEMO["train"], DEMO["validation"])
    return tmp_path / "final"


def problem(final: Path) -> str:
    with pytest.raises(TrainingError) as caught:
        verify(final)
    assert "copy final/ whole" in (caught.value.hint or "")
    return caught.value.message


def test_a_whole_model(final: Path) -> None:
    verify(final)
    assert model_sha256(final) == sha256_of(final / "manifest.json")
    files = json.loads((final / "manifest.json").read_text())["files"]
    assert sorted(files) == list(FILES)


def test_its_card_and_other_files_are_their_readers_own(final: Path) -> None:
    for name in ("README.md", "notes.txt"):
        (final / name).write_text("mine")
    (final / "seen.json").chmod(0o666)
    verify(final)


def test_every_gap_is_named(final: Path) -> None:
    (final / "seen.json").unlink()
    decision = final / "decision.json"
    decision.write_text(decision.read_text().replace("0.61", "0.62"))
    scores = final / "validation_scores.json"
    scores.write_text("")
    assert problem(final).splitlines() == [
        f"{decision} has another sha256 than when it was trained",
        f"{final / 'seen.json'} is missing",
        f"{scores} has 0 bytes instead of {json_size(final, scores)}",
    ]


def json_size(final: Path, path: Path) -> int:
    size: int = json.loads((final / "manifest.json").read_text())["files"][path.name]["size"]
    return size


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "does not exist, so nothing says whether the model is whole"),
        ("{", "is not JSON"),
        ("[]", "is not an object"),
        ('{"schema": 7}', "has schema 7; this version reads 1"),
        ('{"schema": 1}', "files is missing"),
        ('{"schema": 1, "files": null}', "files is null: input should be a valid dictionary"),
        ('{"schema": 1, "files": {"a": {"size": 1}}}', "a.sha256 is missing"),
    ],
)
def test_a_damaged_manifest(final: Path, text: str | None, says: str) -> None:
    (final / "manifest.json").unlink()
    if text is not None:
        (final / "manifest.json").write_text(text)
    found = problem(final)
    assert found.startswith(str(final / "manifest.json")) and says in found


def test_what_stands_for_a_model_does_not_change_with_the_version(final: Path) -> None:
    """Logs of looks and comparisons name models by the bytes of their manifests."""
    files = {
        name: {"size": (final / name).stat().st_size, "sha256": sha256_of(final / name)}
        for name in FILES
    }
    written = json.dumps({"schema": 1, "files": files}, indent=2) + "\n"
    assert (final / "manifest.json").read_text() == written


def test_a_damaged_manifest_stands_for_no_model(final: Path) -> None:
    (final / "manifest.json").write_text("{")
    with pytest.raises(TrainingError, match=r"manifest\.json is not JSON"):
        model_sha256(final)
    (final / "manifest.json").unlink()
    with pytest.raises(TrainingError, match="nothing says whether the model is whole"):
        model_sha256(final)
