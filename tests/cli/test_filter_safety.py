"""iacfilter-filter's flags of what is never removed: mistakes, worthless models, and old ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from iacfilter_hpc.cli.judging.filter import main
from iacfilter_hpc.cli.judging.safety import recall_table, would_go
from iacfilter_hpc.config.schema import TINY
from iacfilter_hpc.filtering.safety.worthless import area_under_curve
from iacfilter_hpc.filtering.threshold import Promise
from iacfilter_hpc.glitch.decisions import Person, Tally
from iacfilter_hpc.trained_model.decision import read_decision, write_decision
from iacfilter_hpc.trained_model.evidence import ValidationScores
from iacfilter_hpc.trained_model.trained_on import Recall
from tests.glitch.made_decisions import judge, write_all
from tests.made_models import make_final
from tests.made_runs import DEMO
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS

pytestmark = TRAINS


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command line that lacks nothing but the weights, and a model that can judge."""
    report, scripts = write_all(tmp_path)
    make_final(tmp_path / "final", DEMO["train"], DEMO["validation"])
    return [str(report.path), "--scripts", str(scripts.folder), "--model", f"{tmp_path}/final"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--max-removed", "2"], "'2' is not a share from 0 to 1"),
        (["--max-removed", "nan"], "'nan' is not a share from 0 to 1"),
        (["--min-smell-recall", "half"], "'half' is not a share from 0 to 1"),
        (["--min-train-tp", "-1"], "'-1' is not a number from 0"),
        (["--min-validation-tp", "1.5"], "'1.5' is not a number from 0"),
    ],
)
def test_numbers_out_of_range(
    capsys: pytest.CaptureFixture[str], words: list[str], flags: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, *flags])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_a_smell_that_is_none_and_rules_that_are_none(
    capsys: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    said = refused(capsys, [*words, "--yes-remove", "use_of_http", "--yes-remove", "http"])
    assert said.startswith("error: --yes-remove 'http' is no smell\nhint: smells are hard_coded_")
    (tmp_path / "rules.yaml").write_text("live-credentials: perhaps\n")
    said = refused(capsys, [*words, "--rules", str(tmp_path / "rules.yaml")])
    assert said.startswith(f'error: {tmp_path}/rules.yaml:1: live-credentials is "perhaps": inp')


def test_worthless_models_are_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    """All of its validation scores are alike."""
    said = refused(capsys, words)
    assert said.startswith(f"error: {tmp_path}/final tells real smells from false alarms no bett")
    assert "--allow-tiny filters with it" in said
    decision = read_decision(tmp_path / "final")
    write_decision(tmp_path / "final", replace(decision, base_model=TINY))
    said = refused(capsys, words)
    assert said.startswith(f"error: {tmp_path}/final is a tiny model of random weights")


def test_better_than_chance() -> None:
    assert area_under_curve(ValidationScores((0.9, 0.2, 0.4), (True, False, True))) == 1
    assert area_under_curve(ValidationScores((0.5, 0.5, 0.5), (True, False, True))) == 0.5
    assert area_under_curve(ValidationScores((0.1, 0.2, 0.4), (True, False, True))) == 0.5
    assert area_under_curve(ValidationScores((0.1,), (True,))) == 1


def test_a_model_of_an_earlier_version_judges_nothing_until_it_is_believed(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    words[-1] = str(make_encoder_final(tmp_path / "old" / "final"))
    capfd.readouterr()

    def document(*flags: str) -> dict[str, Any]:
        assert main([*words, "--json", *flags]) == 0
        found: dict[str, Any] = json.loads(capfd.readouterr().out)
        return found

    found = document()
    assert (found["rows"]["tp"], found["rows"]["fp"]) == (0, 0)
    assert found["safety"]["kept"] == {
        "not_read": 6,
        "not_chosen": 0,
        "person": 0,
        "changed": 0,
        "not_learned": 5,
        "rule": 0,
        "live_credential": 2,
        "unlike_training": 0,
        "whole_smell": 0,
        "too_many": 0,
    }
    assert any("--min-train-tp 0 --min-validation-tp 0 takes it" in w for w in found["warnings"])
    believed = document("--min-train-tp", "0", "--min-validation-tp", "0", "--threshold", "0.99")
    assert believed["safety"]["kept"]["too_many"] == 5, "all that is judged would go"
    (tmp_path / "scripts" / ".iacfilter.yaml").write_text(
        "never-suppress: [{name: cookbooks, path: cookbooks/*}]"
    )
    ruled = document("--min-train-tp", "0", "--min-validation-tp", "0", "--threshold", "0.99")
    assert ruled["safety"]["kept"]["rule"] == 2


def test_what_people_take_out_is_none_of_what_the_model_would(tmp_path: Path) -> None:
    judged = judge(*write_all(tmp_path))
    removed = [row for row in judged if row.decision == "FP"]
    tally = Tally()
    tally.add(judged)
    assert would_go(tally) == len(removed) == 4
    tally.add(replace(row, person=Person("ann", "2026-01-01", None)) for row in removed)
    assert (tally.total().fp, would_go(tally)) == (8, 4)


def test_a_recall_comes_with_its_bound() -> None:
    found = Recall(smell=None, real=20, kept=19, groups=1, are_families=True, low=0.05)
    names, row, needed = recall_table(Promise(0.9, (found,))).splitlines()
    assert names.split("  ")[0] == "smell"
    assert needed == (
        "a threshold for 0.9 takes 9 real ones, a promise of it real ones of 29 families, none of "
        "them lost"
    )
    assert recall_table(Promise(1.0, (found,))).endswith("no number of labels promises 1")
    assert row.split() == ["all", "19", "of", "20", "0.950", "0.050", "1", "family"]
