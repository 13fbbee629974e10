"""iacfilter_hpc.evaluation.overlap: known samples are found, fitted thresholds refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.evaluation.labelled import read_labelled
from iacfilter_hpc.evaluation.overlap import (
    Overlap,
    check_data,
    find_overlap,
    settle_threshold,
)
from iacfilter_hpc.layout import resource
from iacfilter_hpc.options import DEFAULTS, EvaluateOptions
from tests.made_models import made_decision, made_seen, make_final

DEMO = resource("configs", "demo")
TRAIN, VALIDATION, TEST = (DEMO / f"{name}.jsonl" for name in ("train", "validation", "test"))
NEW = Overlap(samples=3, train=0, validation=0, is_validation_file=False)


def test_known_samples_are_found_whatever_file_they_are_in(tmp_path: Path) -> None:
    train, validation = (read_labelled(path).samples for path in (TRAIN, VALIDATION))
    seen, decision = made_seen(train, validation), made_decision(VALIDATION)
    assert find_overlap(read_labelled(TEST), seen, decision) == NEW
    both = tmp_path / "both.jsonl"
    # another label and another context are the same detection
    relabelled = VALIDATION.read_text().replace('"label": "TP"', '"label": "FP"')
    both.write_text(TRAIN.read_text() + relabelled)
    found = find_overlap(read_labelled(both), seen, decision)
    assert found == Overlap(samples=11, train=8, validation=3, is_validation_file=False)
    assert len(found.warnings()) == 2
    same = find_overlap(read_labelled(VALIDATION), seen, decision)
    assert (same.validation, same.is_validation_file) == (3, True)


@pytest.mark.parametrize(
    ("overlap", "refused"),
    [
        (NEW, False),
        (replace(NEW, train=3), False),
        (replace(NEW, validation=1), True),
        (replace(NEW, is_validation_file=True), True),
    ],
)
def test_only_the_run_s_own_threshold_can_be_fitted(overlap: Overlap, refused: bool) -> None:
    decision, data = made_decision(VALIDATION), read_labelled(TEST)
    assert settle_threshold(decision, overlap, data, EvaluateOptions("argmax")) == 0.5
    assert settle_threshold(decision, overlap, data, EvaluateOptions(0.2)) == 0.2
    if refused:
        with pytest.raises(TrainingError, match="never fitted on the data it is reported on"):
            settle_threshold(decision, overlap, data, DEFAULTS)
    else:
        assert settle_threshold(decision, overlap, data, DEFAULTS) == 0.61


def test_data_are_checked_without_a_model(tmp_path: Path) -> None:
    final = tmp_path / "final"
    with pytest.raises(TrainingError, match="no finished model"):
        check_data(final, TEST, DEFAULTS)
    make_final(final, TRAIN, VALIDATION)
    check_data(final, TEST, DEFAULTS)
    check_data(final, VALIDATION, EvaluateOptions("argmax"))
    with pytest.raises(TrainingError, match=r"validation\.jsonl is the validation file"):
        check_data(final, VALIDATION, DEFAULTS)
