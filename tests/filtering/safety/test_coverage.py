"""What a model has seen enough of: by smell, by technology, with and without its calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.filtering.safety.coverage import Coverage, Minimum, coverage_of
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.trained_model.calibration import CalibrationLabels, write_calibration
from iacfilter_hpc.trained_model.evidence import ValidationScores
from iacfilter_hpc.trained_model.trained_on import (
    LabelCount,
    ScoredLabel,
    trained_on,
    write_trained_on,
)
from tests.made_models import made_decision
from tests.made_runs import DEMO
from tests.trained_model.test_calibration import made_calibration

DECISION = made_decision(DEMO["validation"])
ENOUGH = LabelCount(
    smell="use_of_http", technology="ansible", train_tp=20, train_fp=5, validation_tp=10
)
FEW = LabelCount(
    smell="hard_coded_secret", technology="ansible", train_tp=12, train_fp=660, validation_tp=3
)


def coverage(
    final: Path, labels: Sequence[LabelCount] | None, minimum: Minimum | None = None
) -> Coverage:
    if labels is not None:
        record = trained_on([], [], ValidationScores((), ()), ())
        write_trained_on(final, replace(record, labels=tuple(labels)))
    return coverage_of(final, DECISION, 0.5, minimum or Minimum())


def cause(reason: Reason | None) -> Cause | None:
    return None if reason is None else reason.cause


def test_enough_are_twenty_in_training_and_ten_at_the_threshold(tmp_path: Path) -> None:
    found = coverage(tmp_path, [ENOUGH, FEW])
    assert found.lack("use_of_http", ["ansible"]) is None
    few = found.lack("hard_coded_secret", ["ansible"])
    assert cause(few) is Cause.FEW_LABELS
    assert few and few.text == (
        "hard_coded_secret: the model saw 12 real ones (needs 20) and was validated on 3 (needs 10)"
    )
    for part in ("train_tp", "validation_tp"):
        less = replace(ENOUGH, **{part: getattr(ENOUGH, part) - 1})
        assert cause(coverage(tmp_path, [less]).lack("use_of_http", ["ansible"])) is (
            Cause.FEW_LABELS
        )


def test_what_is_unseen_is_not_judged_whatever_the_minimum(tmp_path: Path) -> None:
    nothing = Minimum(train_tp=0, validation_tp=0)
    found = coverage(tmp_path, [ENOUGH, FEW], nothing)
    assert found.lack("hard_coded_secret", ["ansible"]) is None
    assert cause(found.lack("suspicious_comment", ["ansible"])) is Cause.UNTRAINED_SMELL
    assert cause(found.lack("use_of_http", ["terraform"])) is Cause.UNTRAINED_TECHNOLOGY
    assert cause(found.lack("use_of_http", ["ansible", "bicepp"])) is Cause.UNTRAINED_TECHNOLOGY


def test_counts_of_a_smell_are_of_all_technologies(tmp_path: Path) -> None:
    ten = replace(ENOUGH, train_tp=10, validation_tp=5)
    found = coverage(tmp_path, [ten, replace(ten, technology="chef")])
    assert cause(found.lack("use_of_http", ["chef"])) is Cause.FEW_LABELS
    found = coverage(tmp_path, [ten, replace(ENOUGH, technology="chef")])
    assert found.lack("use_of_http", ["chef"]) is None


def test_a_smell_whose_real_ones_are_lost_is_not_judged(tmp_path: Path) -> None:
    score = ScoredLabel(
        smell="use_of_http", technology="ansible", group=0, is_family=True, p_tp=0.9, is_tp=True
    )
    lost = replace(score, p_tp=0.4)
    for kept, cause_of in ((9, Cause.LOW_RECALL), (10, None)):
        record = trained_on([], [], ValidationScores((), ()), ())
        scores = (score,) * kept + (lost,) * (20 - kept)
        write_trained_on(tmp_path, replace(record, labels=(ENOUGH,), scores=scores))
        found = coverage_of(tmp_path, DECISION, 0.5, Minimum())
        assert cause(found.lack("use_of_http", ["ansible"])) is cause_of
        any_loss = coverage_of(tmp_path, DECISION, 0.5, Minimum(recall=0))
        assert any_loss.lack("use_of_http", ["ansible"]) is None
        at_less = coverage_of(tmp_path, DECISION, 0.3, Minimum())
        assert at_less.lack("use_of_http", ["ansible"]) is None, "of the threshold that is used"


def test_labels_of_a_calibration_count_as_both(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    made = replace(made_calibration(tmp_path), held_out=())

    def calibrated(tp: int) -> None:
        labels = CalibrationLabels("hard_coded_secret", "ansible", tp, 1)
        write_calibration(tmp_path, replace(made, labels=(labels,)))

    calibrated(7)
    found = coverage(tmp_path, [FEW])
    assert cause(found.lack("hard_coded_secret", ["ansible"])) is Cause.FEW_LABELS, "12 + 7"
    # the threshold is the calibration's: what has validated the model has not chosen it
    calibrated(9)
    found = coverage(tmp_path, [replace(FEW, validation_tp=99)])
    assert cause(found.lack("hard_coded_secret", ["ansible"])) is Cause.FEW_LABELS, "9"
    calibrated(10)
    assert coverage(tmp_path, [FEW]).lack("hard_coded_secret", ["ansible"]) is None
    (tmp_path / "trained_on.json").unlink()
    calibrated(20)
    assert coverage(tmp_path, None).lack("hard_coded_secret", ["ansible"]) is None
    calibrated(-1)
    with pytest.raises(TrainingError, match=r"calibration\.json: labels\.0\.tp is -1"):
        coverage(tmp_path, None)


def test_a_model_of_an_earlier_version_tells_nothing(tmp_path: Path) -> None:
    found = coverage(tmp_path, None)
    assert cause(found.lack("use_of_http", ["ansible"])) is Cause.UNKNOWN_TRAINING
    half = coverage(tmp_path, None, Minimum(train_tp=0))
    assert cause(half.lack("use_of_http", ["ansible"])) is Cause.UNKNOWN_TRAINING
    word = coverage(tmp_path, None, Minimum(train_tp=0, validation_tp=0))
    assert word.lack("use_of_http", ["terraform"]) is None
    assert cause(word.lack("suspicious_comment", ["ansible"])) is Cause.UNTRAINED_SMELL
