"""Metrics: how good decisions are, of one set of samples or of many weightings at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Samples with `low` < p(TP) <= `high` (the first bin holds 0 too).

    `mean_p` is their mean p(TP), `share_tp` the share of real TPs; None where there is no sample.
    """

    low: float
    high: float
    count: int
    mean_p: float | None
    share_tp: float | None


def reliability(truth: Sequence[bool], p_tp: Sequence[float], bins: int = BINS) -> list[Bin]:
    """Every one of `bins` bins of equal width over [0, 1], empty ones included, in order."""
    is_tp, scores = np.asarray(truth, dtype=bool), np.asarray(p_tp, dtype=np.float64)
    edges, place = np.linspace(0, 1, bins + 1), bins_of(scores, bins)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=scores, minlength=bins)
    hits = np.bincount(place, weights=is_tp, minlength=bins)
    return [
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(counts[i]),
            mean_p=float(sums[i] / counts[i]) if counts[i] else None,
            share_tp=float(hits[i] / counts[i]) if counts[i] else None,
        )
        for i in range(bins)
    ]


def expected_calibration_error(truth: Sequence[bool], p_tp: Sequence[float]) -> float | None:
    """The mean over samples of |mean p(TP) - share of TP| in their bin; None without a sample.

    It looks at p(TP), not at the confidence of the decided class, since thresholds act on p(TP);
    15 bins of equal width.
    Source: Naeini et al., AAAI 2015; Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    if not len(truth):
        return None
    gaps = [
        each.count * abs(each.mean_p - each.share_tp)
        for each in reliability(truth, p_tp)
        if each.mean_p is not None and each.share_tp is not None
    ]
    return sum(gaps) / len(truth)


def bins_of(p_tp: npt.NDArray[np.float64], bins: int = BINS) -> npt.NDArray[np.intp]:
    """The bin that each p(TP) falls into, counted from 0; shape [n]."""
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(inner, p_tp, side="left")


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
        precision=_ratios(tp, tp + fp),
        recall=_ratios(tp, tp + fn),
        f1=_ratios(2 * tp, 2 * tp + fp + fn),
        accuracy=_ratios(tp + tn, tp + fp + fn + tn),
        mcc=_mcc(*(counts.astype(np.float64) for counts in (tp, fp, fn, tn))),
        fp_reduction=_ratios(tn, fp + tn),
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
        first = np.argmax(_ratios(tp, all_tp) >= recall, axis=1)[:, np.newaxis]
        return np.take_along_axis(tp, first, axis=1), np.take_along_axis(fp, first, axis=1)

    (tp_at_95, fp_at_95), (_, fp_at_99) = kept_at(0.95), kept_at(0.99)

    return _Ranking(
        average_precision=defined(_ratios((new_tp * precision).sum(axis=1), all_tp[:, 0])),
        roc_auc=defined(_ratios(twice_area, 2 * (all_tp * all_fp)[:, 0])),
        fp_reduction_at_95=defined(_ratios(all_fp - fp_at_95, all_fp)[:, 0]),
        fp_reduction_at_99=defined(_ratios(all_fp - fp_at_99, all_fp)[:, 0]),
        precision_at_95=defined(_ratios(tp_at_95, tp_at_95 + fp_at_95)[:, 0]),
    )


def _calibration_error(is_tp: npt.NDArray[np.bool_], scores: Floats, weights: Counts) -> Floats:
    # |sum of p - sum of TP| of each bin; the counts of the bins cancel out
    member = bins_of(scores)[:, np.newaxis] == np.arange(BINS)
    gaps = np.abs(weights @ (member * (scores - is_tp)[:, np.newaxis]))
    return _ratios(gaps.sum(axis=1), weights.sum(axis=1))


def _mcc(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    rows, columns = np.sqrt((tp + fp) * (fn + tn)), np.sqrt((tp + fn) * (fp + tn))
    return _ratios(tp * tn - fp * fn, rows * columns)


def _ratios(part: npt.NDArray[np.number], whole: npt.NDArray[np.number]) -> Floats:
    """NaN for 0/0, as a score that is not defined."""
    found: Floats = np.divide(
        part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0
    )
    return found
