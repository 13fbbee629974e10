"""How good decisions are; the positive class is TP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.metrics import average_precision_score, matthews_corrcoef


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts, and what follows from them; None where a ratio is 0/0 or a class is missing.

    `support` counts real TPs, `tp` those of them that were decided TP.
    """

    samples: int
    support: int
    tp: int
    fp: int
    fn: int
    tn: int
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float | None
    mcc: float | None
    average_precision: float | None


def score(truth: Sequence[bool], decided: Sequence[bool], p_tp: Sequence[float]) -> Scores:
    """Scores of decisions; True is TP. Average precision ranks by `p_tp` alone."""
    pairs = list(zip(truth, decided, strict=True))
    tp, fp = pairs.count((True, True)), pairs.count((False, True))
    fn, tn = pairs.count((True, False)), pairs.count((False, False))
    both_classes = tp + fn > 0 and fp + tn > 0
    both_decided = tp + fp > 0 and fn + tn > 0
    return Scores(
        samples=len(pairs),
        support=tp + fn,
        tp=tp,
        fp=fp,
        fn=fn,
        tn=tn,
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        accuracy=_ratio(tp + tn, len(pairs)),
        mcc=float(matthews_corrcoef(truth, decided)) if both_classes and both_decided else None,
        average_precision=float(average_precision_score(truth, p_tp)) if both_classes else None,
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
