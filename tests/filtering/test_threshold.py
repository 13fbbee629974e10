"""iacfilter_hpc.filtering.filter: a threshold, where it comes from, and what it is worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.filtering.threshold import choose_filter_threshold
from iacfilter_hpc.trained_model.evidence import ValidationScores, write_validation_scores
from tests.made_models import made_decision
from tests.made_runs import DEMO

DECISION = made_decision(DEMO["validation"])


def scored(final: Path, real: list[float], false: list[float]) -> Path:
    is_tp = (True,) * len(real) + (False,) * len(false)
    write_validation_scores(final, ValidationScores((*real, *false), is_tp))
    return final


def test_the_models_own_threshold_is_the_default(tmp_path: Path) -> None:
    found = choose_filter_threshold(tmp_path, DECISION)
    assert (found.value, found.mode, found.warnings) == (0.61, "model", ())
    assert found.origin == (
        "the model's own: the best F1 (0.800) on its validation data validation.jsonl"
    )


def test_a_number_is_taken_as_it_is(tmp_path: Path) -> None:
    found = choose_filter_threshold(tmp_path, DECISION, threshold=0.125)
    assert (found.value, found.mode, found.origin) == (0.125, "fixed", "as --threshold 0.125 asks")


def test_a_recall_is_looked_up_in_the_validation_scores(tmp_path: Path) -> None:
    real = [0.05, *(0.5 + i / 100 for i in range(19))]
    final = scored(tmp_path, real, [0.01, 0.2, 0.4, 0.9])
    found = choose_filter_threshold(final, DECISION, recall=0.95)
    assert (found.value, found.mode, found.warnings) == (pytest.approx(0.45), "recall", ())
    assert found.origin == (
        "as --min-recall 0.95 asks: it keeps 19 of 20 real ones and 1 of 4 false alarms of the "
        "validation data"
    )
    everything = choose_filter_threshold(final, DECISION, recall=1.0)
    assert everything.value == pytest.approx(0.03) and everything.warnings == ()


@pytest.mark.parametrize(
    ("real", "recall", "warning"),
    [
        (9, 0.5, "real smells in the validation data: 9, too few to promise a recall"),
        (10, 0.9, None),
        (19, 0.95, "real smells in the validation data: 19, too few to tell a recall of 0.95"),
        (20, 0.95, None),
        (99, 0.99, "real smells in the validation data: 99, too few to tell a recall of 0.99"),
        (100, 0.99, None),
    ],
)
def test_few_real_ones_are_warned_of(
    tmp_path: Path, real: int, recall: float, warning: str | None
) -> None:
    final = scored(tmp_path, [0.9] * real, [0.1])
    found = choose_filter_threshold(final, DECISION, recall=recall).warnings
    assert len(found) == (warning is not None)
    assert not warning or found[0].startswith(warning)


def test_no_recall_without_scores(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"validation_scores\.json cannot be read"):
        choose_filter_threshold(tmp_path, DECISION, recall=0.9)
    with pytest.raises(TrainingError, match="no real smell to measure a recall by"):
        choose_filter_threshold(scored(tmp_path, [], [0.2]), DECISION, recall=0.9)
