"""Metrics: a table of them, METRICS, and the scores of decisions by each.

To add a metric, add an entry: scores, intervals, metrics.json, comparison.json and the tables of an
evaluation and of a comparison follow from the table, in its order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from iacfilter_hpc.evaluation.weighted_decisions import (
    Bools,
    Confusion,
    Counts,
    Floats,
    WeightedDecisions,
    ratios,
)
from iacfilter_hpc.trained_model.evidence import FEW_POSITIVES

# as in Guo et al. (2017), so that errors can be set beside published ones
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


def reliability(
    truth: Sequence[bool] | Bools, p_tp: Sequence[float] | Floats, bins: int = BINS
) -> list[Bin]:
    """Every one of `bins` bins of equal width over [0, 1], empty ones included, in order."""
    is_tp, scores = np.asarray(truth, dtype=bool), np.asarray(p_tp, dtype=np.float64)
    edges, bin_of = np.linspace(0, 1, bins + 1), bins_of(scores, bins)
    counts = np.bincount(bin_of, minlength=bins)
    sums = np.bincount(bin_of, weights=scores, minlength=bins)
    hits = np.bincount(bin_of, weights=is_tp, minlength=bins)
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


def bins_of(p_tp: Floats, bins: int = BINS) -> npt.NDArray[np.intp]:
    """The bin that each p(TP) falls into, counted from 0; shape [n]."""
    # inner edges from the left, as scikit-learn's calibration_curve bins
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(inner, p_tp, side="left")


def expected_calibration_error(
    truth: Sequence[bool] | Bools, p_tp: Sequence[float] | Floats
) -> float | None:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Metric of decisions: how it is computed, and what it is called where.

    Names of columns are None where a table leaves the metric out, for want of width.
    """

    key: str
    """In metrics.json and comparison.json, so it never changes."""
    title: str
    """In the list of an evaluation's scores."""
    weighted: Callable[[WeightedDecisions], Floats]
    """One number a draw, NaN where the metric is not defined; shape [draws]."""
    exact: Callable[[WeightedDecisions], float | None] | None = None
    """Of samples that count once each, where another order of sums has other last digits: those of
    documents stay the same over versions. It is asked only where the metric is defined."""
    share: Callable[[Confusion], tuple[Counts, Counts]] | None = None
    """Hits and tries, if it is a share of independent decisions: Wilson's interval applies."""
    pooled_as: str | None = None
    """What the warning about cross-fits calls it, if it is computed from p(TP): each fold's model
    has a scale of its own, so that numbers over all folds are of no single model."""
    read_after: str | None = None
    """The key of the metric that it follows where people read; None for the one above."""
    column: str | None = None
    """In an evaluation's table of smells and technologies."""
    heading: str | None = None
    """In the report of a comparison."""
    abbreviation: str | None = None
    """In a comparison's table on the terminal."""
    is_of_members: bool = False
    """Whether a comparison shows it of each seed."""

    @property
    def needs_p_tp(self) -> bool:
        """Whether it is computed from p(TP), not from decisions alone."""
        return self.pooled_as is not None

    def of_each_draw(self, decisions: WeightedDecisions) -> Floats:
        """One number a draw, NaN where the metric is not defined; shape [draws]."""
        if self.needs_p_tp and not len(decisions.p_tp):
            return np.full(len(decisions.weights), np.nan)
        return self.weighted(decisions)

    def of_one_draw(self, decisions: WeightedDecisions) -> float | None:
        """The score of samples that count once each; None where the metric is not defined."""
        # asked first, as scikit-learn answers 0 or warns where a metric is not defined
        (value,) = self.of_each_draw(decisions).tolist()
        if math.isnan(value):
            return None
        return value if self.exact is None else self.exact(decisions)


# each ratio of counts is a part and a whole: the same pair gives a score and Wilson's interval


def _precision(found: Confusion) -> tuple[Counts, Counts]:
    return found.tp, found.tp + found.fp


def _recall(found: Confusion) -> tuple[Counts, Counts]:
    return found.tp, found.tp + found.fn


def _fp_reduction(found: Confusion) -> tuple[Counts, Counts]:
    """The share of false alarms that a reader is spared: specificity."""
    return found.tn, found.fp + found.tn


def _f1(found: Confusion) -> tuple[Counts, Counts]:
    return 2 * found.tp, 2 * found.tp + found.fp + found.fn


def _accuracy(found: Confusion) -> tuple[Counts, Counts]:
    return found.tp + found.tn, found.tp + found.fp + found.fn + found.tn


def _mcc(decisions: WeightedDecisions) -> Floats:
    """Matthews' correlation; not defined where truth or decisions are all alike."""
    found = decisions.confusion
    tp, fp, fn, tn = (each.astype(np.float64) for each in (found.tp, found.fp, found.fn, found.tn))
    # floats, and two roots: a product of four counts soon needs more than 64 bits
    rows, columns = np.sqrt((tp + fp) * (fn + tn)), np.sqrt((tp + fn) * (fp + tn))
    return ratios(tp * tn - fp * fn, rows * columns)


def _average_precision(decisions: WeightedDecisions) -> Floats:
    """The sum of precision times gain in recall over thresholds."""
    ranking = decisions.ranking
    new_tp = np.diff(ranking.tp, axis=1, prepend=0)
    # where nothing is kept yet, no TP is new
    precision = ranking.tp / np.maximum(ranking.tp + ranking.fp, 1)
    return ranking.defined(ratios((new_tp * precision).sum(axis=1), ranking.all_tp[:, 0]))


def _roc_auc(decisions: WeightedDecisions) -> Floats:
    """The area under TPs against FPs, by trapezes."""
    ranking = decisions.ranking
    new_tp = np.diff(ranking.tp, axis=1, prepend=0)
    new_fp = np.diff(ranking.fp, axis=1, prepend=0)
    # in whole numbers, whose sum no order changes; the division below halves it
    twice_area = (new_fp * (2 * ranking.tp - new_tp)).sum(axis=1)
    return ranking.defined(ratios(twice_area, 2 * (ranking.all_tp * ranking.all_fp)[:, 0]))


def _fp_reduction_at(recall: float) -> Callable[[WeightedDecisions], Floats]:
    """The largest share of FPs that a threshold removes which keeps `recall` of the real TPs."""

    def weighted(decisions: WeightedDecisions) -> Floats:
        ranking = decisions.ranking
        _, fp = ranking.kept_at(recall)
        return ranking.defined(ratios(ranking.all_fp - fp, ranking.all_fp)[:, 0])

    return weighted


def _precision_at(recall: float) -> Callable[[WeightedDecisions], Floats]:
    """Precision at the highest threshold which keeps `recall` of the real TPs."""

    def weighted(decisions: WeightedDecisions) -> Floats:
        tp, fp = decisions.ranking.kept_at(recall)
        return decisions.ranking.defined(ratios(tp, tp + fp)[:, 0])

    return weighted


def _calibration_error(decisions: WeightedDecisions) -> Floats:
    """`expected_calibration_error` of each draw."""
    # |sum of p - sum of TP| of each bin; the counts of the bins cancel out
    member = bins_of(decisions.p_tp)[:, np.newaxis] == np.arange(BINS)
    gaps = np.abs(decisions.weights @ (member * (decisions.p_tp - decisions.truth)[:, np.newaxis]))
    return ratios(gaps.sum(axis=1), decisions.weights.sum(axis=1))


def _of(
    ratio: Callable[[Confusion], tuple[Counts, Counts]],
) -> Callable[[WeightedDecisions], Floats]:
    """The metric that is a ratio of counts."""
    return lambda decisions: ratios(*ratio(decisions.confusion))


METRICS: tuple[Metric, ...] = (
    Metric(
        key="precision",
        title="precision",
        weighted=_of(_precision),
        share=_precision,
        column="precision",
        heading="Precision",
        abbreviation="P",
        is_of_members=True,
    ),
    Metric(
        key="recall",
        title="recall",
        weighted=_of(_recall),
        share=_recall,
        column="recall",
        heading="Recall",
        abbreviation="R",
        is_of_members=True,
    ),
    Metric(
        key="f1",
        title="F1",
        weighted=_of(_f1),
        # no share: its parts are no hits among independent tries, which Wilson's interval is of
        column="F1",
        heading="F1",
        abbreviation="F1",
        is_of_members=True,
    ),
    Metric(key="accuracy", title="accuracy", weighted=_of(_accuracy), read_after="mcc"),
    Metric(
        key="mcc",
        title="MCC",
        weighted=_mcc,
        exact=lambda decisions: float(matthews_corrcoef(decisions.truth, decisions.decided)),
        column="MCC",
        heading="MCC",
        abbreviation="MCC",
        is_of_members=True,
    ),
    Metric(
        key="fp_reduction",
        title="false alarms removed",
        weighted=_of(_fp_reduction),
        share=_fp_reduction,
        read_after="roc_auc",  # beside what a threshold could remove
        heading="False alarms removed",
        abbreviation="FP REMOVED",
    ),
    Metric(
        key="average_precision",
        title="average precision (AP)",
        weighted=_average_precision,
        exact=lambda decisions: float(average_precision_score(decisions.truth, decisions.p_tp)),
        pooled_as="AP",
        column="AP",
        heading="Average precision",
        abbreviation="AP",
        is_of_members=True,
    ),
    Metric(
        key="roc_auc",
        title="area under the ROC curve (AUC)",
        weighted=_roc_auc,
        exact=lambda decisions: float(roc_auc_score(decisions.truth, decisions.p_tp)),
        pooled_as="AUC",
        column="AUC",
        heading="ROC AUC",
        abbreviation="AUC",
    ),
    Metric(
        key="fp_reduction_at_recall_95",
        title="  could be, at recall >= 0.95",
        weighted=_fp_reduction_at(0.95),
        pooled_as="what could be at a recall",
        heading="False alarms that could go at recall 0.95",
    ),
    Metric(
        key="fp_reduction_at_recall_99",
        title="  could be, at recall >= 0.99",
        weighted=_fp_reduction_at(0.99),
        pooled_as="what could be at a recall",
        heading="The same at recall 0.99",
    ),
    Metric(
        key="precision_at_recall_95",
        title="precision there, at recall >= 0.95",
        weighted=_precision_at(0.95),
        pooled_as="what could be at a recall",
        heading="Precision at recall 0.95",
    ),
    Metric(
        key="expected_calibration_error",
        title="expected calibration error of p(TP)",
        weighted=_calibration_error,
        exact=lambda decisions: expected_calibration_error(decisions.truth, decisions.p_tp),
        pooled_as="calibration error",
        heading="Expected calibration error",
    ),
)
"""Every metric, in the order of JSON documents, which their readers know."""


def in_reading_order() -> list[Metric]:
    """Every metric, in the order in which people read them; that of documents is older."""
    # in a second pass, as the metric that one follows may stand later in METRICS
    ordered = [metric for metric in METRICS if metric.read_after is None]
    for metric in METRICS:
        if metric.read_after is not None:
            keys = [each.key for each in ordered]
            ordered.insert(keys.index(metric.read_after) + 1, metric)
    return ordered


def pooled_names() -> list[str]:
    """What a cross-fit's warning calls the metrics that pool p(TP) of several models."""
    return sorted({metric.pooled_as for metric in METRICS if metric.pooled_as is not None})


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts, and by key of METRICS what follows from them; None where a metric is not defined.

    That is where a ratio is 0/0, a class is missing, or p(TP) is not known. `support` counts real
    TPs, `tp` those of them that were decided TP.
    """

    samples: int
    support: int
    tp: int
    fp: int
    fn: int
    tn: int
    by_metric: Mapping[str, float | None]
    shares: Mapping[str, tuple[int, int]]
    """Of the metrics that are shares of independent decisions: hits and tries."""

    def __getitem__(self, key: str) -> float | None:
        """The score by one metric."""
        return self.by_metric[key]

    @property
    def few_positives(self) -> bool:
        """Whether there are too few real TPs to conclude anything."""
        return self.support < FEW_POSITIVES

    def as_dict(self) -> dict[str, Any]:
        """Counts and scores side by side, as JSON documents hold them."""
        counts = ("samples", "support", "tp", "fp", "fn", "tn")
        return {**{name: getattr(self, name) for name in counts}, **self.by_metric}


def score(truth: Sequence[bool], decided: Sequence[bool], p_tp: Sequence[float] | None) -> Scores:
    """Scores of decisions by every metric; True is TP."""
    # one draw of ones: the bootstrap's formulas give the scores too, so that both agree
    decisions = WeightedDecisions.of(truth, decided, p_tp)
    found = decisions.confusion
    tp, fp, fn, tn = (int(count[0]) for count in (found.tp, found.fp, found.fn, found.tn))
    return Scores(
        samples=len(truth),
        support=tp + fn,
        tp=tp,
        fp=fp,
        fn=fn,
        tn=tn,
        by_metric={metric.key: metric.of_one_draw(decisions) for metric in METRICS},
        shares={
            metric.key: (int(hits[0]), int(tries[0]))
            for metric in METRICS
            if metric.share is not None
            for hits, tries in [metric.share(found)]
        },
    )


def weighted_scores(
    truth: Sequence[bool],
    decided: Sequence[bool],
    p_tp: Sequence[float] | None,
    weights: Counts,
) -> dict[str, Floats]:
    """Scores by every metric as if each sample stood there as often as its weight says.

    `weights` has shape [draws, n] for n samples, each result shape [draws]; NaN where a metric is
    not defined. Row for row the result is that of `score` on the samples so repeated.
    """
    decisions = WeightedDecisions.of(truth, decided, p_tp, weights)
    return {metric.key: metric.of_each_draw(decisions) for metric in METRICS}
