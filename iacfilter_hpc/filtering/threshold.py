"""Filter threshold: the p(TP) from which a detection is kept, and where that number comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iacfilter_hpc.errors import TrainingError, counted
from iacfilter_hpc.trained_model.calibration import find_calibration
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.evidence import ValidationScores, read_validation_scores
from iacfilter_hpc.trained_model.known_labels import find_scores
from iacfilter_hpc.trained_model.recall import recalls, tries_for
from iacfilter_hpc.trained_model.trained_on import Recall, ScoredLabel
from iacfilter_hpc.training.calibrate import threshold_for_recall

Mode = Literal["model", "fixed", "recall"]


@dataclass(frozen=True, slots=True)
class Promise:
    """Recall that is asked for, and that of the labels which chose the threshold, with its bound.

    `found` is of all, then of each smell; empty where the families of the labels are unknown.
    """

    recall: float
    found: tuple[Recall, ...]


@dataclass(frozen=True, slots=True)
class FilterThreshold:
    """Threshold of a filter: p(TP) >= `value` keeps; `origin` goes on "p(TP) >= value, ...".

    `mode` says whether the model, a fixed number or a recall has chosen it.
    """

    value: float
    mode: Mode
    origin: str
    warnings: tuple[str, ...] = ()
    promise: Promise | None = None


def choose_filter_threshold(
    final: Path, decision: Decision, threshold: float | None = None, recall: float | None = None
) -> FilterThreshold:
    """Choose the given threshold, else one that keeps a share `recall`, else the model's own.

    Only validation data choose a threshold, or the labels of people that calibrated the model.

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
    data = "validation data" if find_calibration(final) is None else "labels of the calibration"
    labels = find_scores(final)
    scores = read_validation_scores(final) if labels is None else _plain(labels)
    real = [p for p, is_tp in zip(scores.p_tp, scores.is_tp, strict=True) if is_tp]
    if not real:
        raise TrainingError(
            f"the {data} of {final} have no real smell to measure a recall by",
            hint="--threshold takes a number of your own",
        )
    # from scores kept in final/: neither the samples nor a GPU are needed
    value = conformal_threshold(scores, recall)
    false = [p for p, is_tp in zip(scores.p_tp, scores.is_tp, strict=True) if not is_tp]
    origin = (
        f"as --min-recall {recall:g} asks: it keeps {sum(p >= value for p in real)} of "
        f"{len(real)} real ones and {sum(p >= value for p in false)} of {len(false)} false alarms "
        f"of the {data}"
    )
    found = () if labels is None else recalls(labels, value)
    promise = Promise(recall, found)
    return FilterThreshold(
        value, "recall", origin, tuple(_warnings(len(real), data, promise)), promise
    )


def _plain(labels: Sequence[ScoredLabel]) -> ValidationScores:
    return ValidationScores(tuple(e.p_tp for e in labels), tuple(e.is_tp for e in labels))


KEEP_ALL = 0.0
"""No p(TP) is below it."""


def conformal_threshold(scores: ValidationScores, recall: float) -> float:
    """The highest threshold that keeps `recall` of real ones like these, 0 if they are too few.

    Of n it keeps the (n + 1) * recall highest, rounded up: one more than the share of those at
    hand, as the next one may lie below them all. That holds on average, and for labels that could
    as well have come in any other order; samples of families could not, so it is no promise.
    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, chapter 2.
    """
    real = sum(scores.is_tp)
    kept = math.ceil((real + 1) * recall - ROUNDING)
    if kept > real:
        return KEEP_ALL
    return threshold_for_recall(scores.p_tp, scores.is_tp, kept / real)


ROUNDING = 1e-9
"""Of floats: 20 * 0.95 must be 19, and not 19.000000001."""


def real_for(recall: float) -> int | None:
    """Real ones that choosing a threshold for `recall` takes at least; None if none suffice."""
    return None if recall == 1 else math.ceil(recall / (1 - recall) - ROUNDING)


def _warnings(real: int, data: str, promise: Promise) -> list[str]:
    needed = real_for(promise.recall)
    if needed is None:
        return ["no number of labels promises a recall of 1, so the threshold keeps everything"]
    if real < needed:
        return [
            f"real smells in the {data}: {real}, too few for a recall of "
            f"{promise.recall:g}, which takes {needed}; so the threshold keeps everything"
        ]
    if not promise.found:
        return [
            "families of the validation data are unknown (the model is of an earlier version), so "
            f"nothing is known of how far a recall of {promise.recall:g} holds elsewhere"
        ]
    overall = promise.found[0]
    if overall.low >= promise.recall:
        return []
    return [
        f"a recall of {promise.recall:g} is not promised: on other repositories it may be as low "
        f"as {overall.low:.2f} (lower 95 % bound over {overall.grouped}); a promise takes real "
        f"ones of {tries_for(promise.recall)} families, none of them lost"
    ]
