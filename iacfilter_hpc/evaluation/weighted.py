"""Scores of weighted samples, for many weightings at once: what a bootstrap needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iacfilter_hpc.evaluation.calibration import BINS, bins_of

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WeightedScores:
    """The fields of Scores that are no counts, each of shape [draws]; NaN where not defined."""

    precision: Floats
    recall: Floats
    f1: Floats
    accuracy: Floats
    mcc: Floats
    fp_reduction: Floats
    average_precision: Floats
    roc_auc: Floats
    fp_reduction_at_recall_95: Floats
    fp_reduction_at_recall_99: Floats
    precision_at_recall_95: Floats
    expected_calibration_error: Floats


def weighted_scores(
    truth: Sequence[bool],
    decided: Sequence[bool],
    p_tp: Sequence[float] | None,
    weights: Counts,
) -> WeightedScores:
    """Scores as if each sample stood there as often as its weight says.

    `weights` has shape [draws, n] for n samples; row for row the result is that of `score` on the
    samples so repeated.
    """
    is_tp, kept = np.asarray(truth, dtype=bool), np.asarray(decided, dtype=bool)
    tp, fp = (weights[:, chosen].sum(axis=1) for chosen in (is_tp & kept, ~is_tp & kept))
    fn, tn = (weights[:, chosen].sum(axis=1) for chosen in (is_tp & ~kept, ~is_tp & ~kept))
    ranking = _Ranking.unknown(len(weights))
    calibration = np.full(len(weights), np.nan)
    if p_tp is not None:
        scores = np.asarray(p_tp, dtype=np.float64)
        ranking = _rank(is_tp, scores, weights)
        calibration = _calibration_error(is_tp, scores, weights)
    return WeightedScores(
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        accuracy=_ratio(tp + tn, tp + fp + fn + tn),
        mcc=_mcc(*(counts.astype(np.float64) for counts in (tp, fp, fn, tn))),
        fp_reduction=_ratio(tn, fp + tn),
        average_precision=ranking.average_precision,
        roc_auc=ranking.roc_auc,
        fp_reduction_at_recall_95=ranking.fp_reduction_at_95,
        fp_reduction_at_recall_99=ranking.fp_reduction_at_99,
        precision_at_recall_95=ranking.precision_at_95,
        expected_calibration_error=calibration,
    )


@dataclass(frozen=True, slots=True)
class _Ranking:
    """What follows from the order of p(TP) alone; shape [draws] each."""

    average_precision: Floats
    roc_auc: Floats
    fp_reduction_at_95: Floats
    fp_reduction_at_99: Floats
    precision_at_95: Floats

    @classmethod
    def unknown(cls, draws: int) -> _Ranking:
        return cls(*(np.full(draws, np.nan) for _ in range(5)))


def _rank(is_tp: npt.NDArray[np.bool_], scores: Floats, weights: Counts) -> _Ranking:
    """Sort once for all draws; a threshold lies at the end of each run of equal scores."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    ordered, positive = weights[:, order], is_tp[order]
    # kept TPs and FPs at each threshold, from the highest to the lowest: [draws, thresholds]
    tp = np.cumsum(ordered * positive, axis=1)[:, ends]
    fp = np.cumsum(ordered * ~positive, axis=1)[:, ends]
    all_tp, all_fp = tp[:, -1:], fp[:, -1:]
    new_tp, new_fp = np.diff(tp, axis=1, prepend=0), np.diff(fp, axis=1, prepend=0)
    precision = tp / np.maximum(tp + fp, 1)  # where nothing is kept yet, no TP is new
    twice_area = (new_fp * (2 * tp - new_tp)).sum(axis=1)
    both_classes = (all_tp * all_fp)[:, 0] > 0

    def defined(values: Floats) -> Floats:
        return np.where(both_classes, values, np.nan)

    def kept_at(recall: float) -> tuple[Counts, Counts]:
        """TPs and FPs from the highest threshold on that keeps so many TPs: [draws, 1] each."""
        first = np.argmax(_ratio(tp, all_tp) >= recall, axis=1)[:, np.newaxis]
        return np.take_along_axis(tp, first, axis=1), np.take_along_axis(fp, first, axis=1)

    (tp_at_95, fp_at_95), (_, fp_at_99) = kept_at(0.95), kept_at(0.99)

    return _Ranking(
        average_precision=defined(_ratio((new_tp * precision).sum(axis=1), all_tp[:, 0])),
        roc_auc=defined(_ratio(twice_area, 2 * (all_tp * all_fp)[:, 0])),
        fp_reduction_at_95=defined(_ratio(all_fp - fp_at_95, all_fp)[:, 0]),
        fp_reduction_at_99=defined(_ratio(all_fp - fp_at_99, all_fp)[:, 0]),
        precision_at_95=defined(_ratio(tp_at_95, tp_at_95 + fp_at_95)[:, 0]),
    )


def _calibration_error(is_tp: npt.NDArray[np.bool_], scores: Floats, weights: Counts) -> Floats:
    # |sum of p - sum of TP| of each bin; the counts of the bins cancel out
    member = bins_of(scores)[:, np.newaxis] == np.arange(BINS)
    gaps = np.abs(weights @ (member * (scores - is_tp)[:, np.newaxis]))
    return _ratio(gaps.sum(axis=1), weights.sum(axis=1))


def _mcc(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    rows, columns = np.sqrt((tp + fp) * (fn + tn)), np.sqrt((tp + fn) * (fp + tn))
    return _ratio(tp * tn - fp * fn, rows * columns)


def _ratio(part: npt.NDArray[np.number], whole: npt.NDArray[np.number]) -> Floats:
    """NaN for 0/0, as a score that is not defined."""
    found: Floats = np.divide(
        part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0
    )
    return found
