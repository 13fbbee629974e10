"""Filter threshold: the p(TP) from which a detection is kept, and where that number comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iacfilter_hpc.errors import TrainingError, counted
from iacfilter_hpc.trained_model.calibration import find_calibration, read_threshold_scores
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.evidence import FEW_POSITIVES
from iacfilter_hpc.training.calibrate import threshold_for_recall

Mode = Literal["model", "fixed", "recall"]


@dataclass(frozen=True, slots=True)
class FilterThreshold:
    """Threshold of a filter: p(TP) >= `value` keeps; `origin` goes on "p(TP) >= value, ...".

    `mode` says whether the model, a fixed number or a recall has chosen it.
    """

    value: float
    mode: Mode
    origin: str
    warnings: tuple[str, ...] = ()


def choose_filter_threshold(
    final: Path, decision: Decision, threshold: float | None = None, recall: float | None = None
) -> FilterThreshold:
    """Choose the given threshold, else one that keeps a share `recall`, else the model's own.

    Only validation data choose a threshold: those that the model of `final` was validated on.

    Raises:
        TrainingError: a recall is asked for, and `final` has no validation scores to choose by.
    """
    if threshold is not None:
        return FilterThreshold(threshold, "fixed", f"as --threshold {threshold:g} asks")
    if recall is not None:
        return _for_recall(final, recall)
    if (calibration := find_calibration(final)) is not None:
        data = calibration.data
        return FilterThreshold(
            calibration.threshold,
            "model",
            f"that of its calibration on {counted(data.samples, 'label')} of "
            f"{Path(data.file).name}",
        )
    validation = decision.validation
    return FilterThreshold(
        decision.threshold,
        "model",
        f"the model's own: the best F1 ({validation.f1:.3f}) on its validation data "
        f"{Path(validation.file).name}",
    )


def _for_recall(final: Path, recall: float) -> FilterThreshold:
    scores = read_threshold_scores(final)
    real = [p for p, is_tp in zip(scores.p_tp, scores.is_tp, strict=True) if is_tp]
    if not real:
        raise TrainingError(
            f"the validation data of {final} have no real smell to measure a recall by",
            hint="--threshold takes a number of your own",
        )
    # from scores kept in final/: neither the samples nor a GPU are needed
    value = threshold_for_recall(scores.p_tp, scores.is_tp, recall)
    false = [p for p, is_tp in zip(scores.p_tp, scores.is_tp, strict=True) if not is_tp]
    origin = (
        f"as --min-recall {recall:g} asks: it keeps {sum(p >= value for p in real)} of "
        f"{len(real)} real ones and {sum(p >= value for p in false)} of {len(false)} false alarms "
        "of the validation data"
    )
    return FilterThreshold(value, "recall", origin, tuple(_warnings(len(real), recall)))


def _warnings(real: int, recall: float) -> list[str]:
    if real < FEW_POSITIVES:
        return [f"real smells in the validation data: {real}, too few to promise a recall"]
    # one miss fewer or more would change the recall by 1 / real; 1e-9 is for floats, in which
    # 10 * (1 - 0.9) is a little less than 1
    if recall < 1 and real * (1 - recall) < 1 - 1e-9:
        return [
            f"real smells in the validation data: {real}, too few to tell a recall of {recall:g} "
            "from 1, so the threshold keeps all of them"
        ]
    return []
