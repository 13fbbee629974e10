"""Known labels of a model: those that trained and validated it, and those of its calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.samples.hashes import same_smell
from iacfilter_hpc.trained_model.calibration import CalibrationLabels, find_calibration
from iacfilter_hpc.trained_model.trained_on import LabelCount, ScoredLabel, find_trained_on


def find_labels(final: Path) -> tuple[LabelCount, ...] | None:
    """All labels that a model knows; those of its calibration count as both kinds.

    Validation samples of a calibrated model count no more: they have not chosen its threshold.

    None if it has neither record nor calibration, so that nothing can be said of it.

    Raises:
        TrainingError: a file is damaged, or the calibration is of another model.
    """
    record, calibration = find_trained_on(final), find_calibration(final)
    if calibration is None:
        return record.labels if record else None
    # its threshold is the calibration's, which no validation sample has chosen
    trained = [
        replace(each, validation_tp=0, validation_fp=0)
        for each in (record.labels if record else ())
    ]
    return (*trained, *map(_counts_of, calibration.labels))


def find_scores(final: Path) -> tuple[ScoredLabel, ...] | None:
    """Scores of labels that may choose a threshold: those of the calibration, if there is one.

    These are of folds that did not hold the label. None of a model of an earlier version.

    Raises:
        TrainingError: a file is damaged, or the calibration is of another model.
    """
    if calibration := find_calibration(final):
        return calibration.held_out
    record = find_trained_on(final)
    return None if record is None else record.scores


def _counts_of(labels: CalibrationLabels) -> LabelCount:
    return LabelCount(
        smell=same_smell(labels.smell),
        technology=labels.technology,
        train_tp=labels.tp,
        train_fp=labels.fp,
        validation_tp=labels.tp,
        validation_fp=labels.fp,
    )
