"""iacfilter_hpc.filtering.filter: a threshold, where it comes from, and what it is worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.filtering.threshold import (
    KEEP_ALL,
    choose_filter_threshold,
    conformal_threshold,
)
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.evidence import ValidationScores, write_validation_scores
from iacfilter_hpc.trained_model.trained_on import trained_on, write_trained_on
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
    real = [0.05, *(0.5 + i / 100 for i in range(39))]
    final = scored(tmp_path, real, [0.01, 0.2, 0.4, 0.9])
    found = choose_filter_threshold(final, DECISION, recall=0.95)
    assert (found.value, found.mode) == (pytest.approx(0.45), "recall"), "39 of 40"
    assert found.origin == (
        "as --min-recall 0.95 asks: it keeps 39 of 40 real ones and 1 of 4 false alarms of the "
        "validation data"
    )
    assert found.warnings == (
        "families of the validation data are unknown (the model is of an earlier version), so "
        "nothing is known of how far a recall of 0.95 holds elsewhere",
    )


@pytest.mark.parametrize(("real", "kept"), [(18, None), (19, 19), (20, 20), (38, 38), (39, 38)])
def test_the_next_one_counts_too(real: int, kept: int | None) -> None:
    """(n + 1) * .95 of n, rounded up: as the next one may lie below them all."""
    scores = ValidationScores(tuple((i + 1) / 100 for i in range(real)), (True,) * real)
    value = conformal_threshold(scores, 0.95)
    assert value == KEEP_ALL if kept is None else sum(p >= value for p in scores.p_tp) == kept


@pytest.mark.parametrize(
    ("real", "recall", "warning"),
    [
        (18, 0.95, "real smells in the validation data: 18, too few for a recall of 0.95, which "),
        (98, 0.99, "real smells in the validation data: 98, too few for a recall of 0.99, which "),
        (50, 1.0, "no number of labels promises a recall of 1, so the threshold keeps everyth"),
    ],
)
def test_too_few_real_ones_keep_everything(
    tmp_path: Path, real: int, recall: float, warning: str
) -> None:
    final = scored(tmp_path, [0.9] * real, [1e-9])
    found = choose_filter_threshold(final, DECISION, recall=recall)
    assert found.value == KEEP_ALL
    assert found.warnings[0].startswith(warning)


@pytest.mark.parametrize(("families", "is_promised"), [(20, False), (59, True)])
def test_a_promise_takes_families(tmp_path: Path, families: int, is_promised: bool) -> None:
    samples = [
        replace(sample, label="TP", family=str(number))
        for number, sample in enumerate(read_samples(DEMO["train"])[:1] * families)
    ]
    scores = ValidationScores((0.9,) * families, (True,) * families)
    write_trained_on(tmp_path, trained_on([], samples, scores, ()))
    found = choose_filter_threshold(tmp_path, DECISION, recall=0.95)
    assert found.promise and [each.kept for each in found.promise.found] == [families] * 2
    assert found.promise.found[0].low == pytest.approx(0.05 ** (1 / families), abs=1e-5)
    if is_promised:
        assert found.warnings == ()
    else:
        assert found.warnings == (
            "a recall of 0.95 is not promised: on other repositories it may be as low as 0.86 "
            "(lower 95 % bound over 20 families); a promise takes real ones of 59 families, none "
            "of them lost",
        )


def test_no_recall_without_scores(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"validation_scores\.json cannot be read"):
        choose_filter_threshold(tmp_path, DECISION, recall=0.9)
    with pytest.raises(TrainingError, match="no real smell to measure a recall by"):
        choose_filter_threshold(scored(tmp_path, [], [0.2]), DECISION, recall=0.9)
