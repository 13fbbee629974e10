"""How good decisions are; the positive class is TP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from iacfilter_hpc.evaluation.calibration import expected_calibration_error

FEW_POSITIVES = 10
"""Scores of fewer real TPs than this say little, and every report marks them."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts, and what follows from them; None where a score is not defined.

    That is where a ratio is 0/0, a class is missing, or p(TP) is not known. `support` counts real
    TPs, `tp` those of them that were decided TP. `fp_reduction` is the share of false alarms
    removed by the decisions; `fp_reduction_at_recall_95` the largest share that a threshold could
    remove while keeping at least 95 % of the real TPs, and `precision_at_recall_95` the precision
    at that threshold.
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
    fp_reduction: float | None
    average_precision: float | None
    roc_auc: float | None
    fp_reduction_at_recall_95: float | None
    fp_reduction_at_recall_99: float | None
    precision_at_recall_95: float | None
    expected_calibration_error: float | None

    @property
    def few_positives(self) -> bool:
        """Whether there are too few real TPs to conclude anything."""
        return self.support < FEW_POSITIVES

    @property
    def shares(self) -> dict[str, tuple[int, int]]:
        """The scores that are shares of independent decisions: of how many, and how many do."""
        return {
            "precision": (self.tp, self.tp + self.fp),
            "recall": (self.tp, self.tp + self.fn),
            "fp_reduction": (self.tn, self.fp + self.tn),
        }


def score(truth: Sequence[bool], decided: Sequence[bool], p_tp: Sequence[float] | None) -> Scores:
    """Scores of decisions; True is TP. What ranks or calibrates looks at `p_tp` alone."""
    pairs = list(zip(truth, decided, strict=True))
    tp, fp = pairs.count((True, True)), pairs.count((False, True))
    fn, tn = pairs.count((True, False)), pairs.count((False, False))
    both_classes = tp + fn > 0 and fp + tn > 0
    both_decided = tp + fp > 0 and fn + tn > 0
    ranked = p_tp if both_classes else None
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
        fp_reduction=_ratio(tn, fp + tn),
        average_precision=_ranked(average_precision_score, truth, ranked),
        roc_auc=_ranked(roc_auc_score, truth, ranked),
        fp_reduction_at_recall_95=_fp_reduction_at(0.95, truth, ranked),
        fp_reduction_at_recall_99=_fp_reduction_at(0.99, truth, ranked),
        precision_at_recall_95=_precision_at(0.95, truth, ranked),
        expected_calibration_error=(
            None if p_tp is None else expected_calibration_error(truth, p_tp)
        ),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _ranked(
    measure: Callable[[Sequence[bool], Sequence[float]], float],
    truth: Sequence[bool],
    p_tp: Sequence[float] | None,
) -> float | None:
    return None if p_tp is None else float(measure(truth, p_tp))


def _fp_reduction_at(
    recall: float, truth: Sequence[bool], p_tp: Sequence[float] | None
) -> float | None:
    """The share of FPs below the highest threshold whose recall is at least `recall`."""
    if p_tp is None:
        return None
    scores, is_tp = np.asarray(p_tp, dtype=np.float64), np.asarray(truth, dtype=bool)
    return float(np.mean(scores[~is_tp] < _threshold_for(recall, scores[is_tp])))


def _precision_at(
    recall: float, truth: Sequence[bool], p_tp: Sequence[float] | None
) -> float | None:
    """The share of TPs from the highest threshold on whose recall is at least `recall`."""
    if p_tp is None:
        return None
    scores, is_tp = np.asarray(p_tp, dtype=np.float64), np.asarray(truth, dtype=bool)
    return float(np.mean(is_tp[scores >= _threshold_for(recall, scores[is_tp])]))


def _threshold_for(recall: float, real: npt.NDArray[np.float64]) -> float:
    """The highest p(TP) from which on `recall` of the real TPs are kept."""
    kept = np.sort(real)[::-1]
    enough = np.arange(1, len(kept) + 1) / len(kept) >= recall
    return float(kept[np.argmax(enough)])
