"""Bootstrap intervals: 95 % of each score, by drawing whole groups of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from iacfilter_hpc.config.evaluate_options import DRAWS
from iacfilter_hpc.evaluation import metrics
from iacfilter_hpc.evaluation.metrics import score, weighted_scores
from iacfilter_hpc.evaluation.weighted_decisions import Counts, Floats


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of `hits` among `count` independent tries; `count` is positive."""
    # a normal approximation has no width either at no hits or all hits, where this one is needed
    found = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


MIDDLE = (0.025, 0.975)
"""Of the draws, what lies between these quantiles is the interval: 95 %."""

MOST_UNDEFINED = 0.05
"""The share of draws without a score above which those with one do not stand for all."""
# n groups make C(2n - 1, n) different draws: five 126, but four only 35, of which less than one
# lies outside either end of the middle 95 %
FEWEST_GROUPS = 5
"""With fewer, draws of whole groups are too much alike to say anything."""
FEW_GROUPS = 10
"""An interval of fewer groups than this is likely too narrow, and every report marks it."""
CELLS_AT_ONCE = 4_000_000
"""Draws times samples whose weights are in memory at a time: 32 MB an array."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % of a score over the draws; `undefined` draws had no such score.

    `is_wilson` says that all draws had the same score, and that it is Wilson's interval instead.
    """

    low: float
    high: float
    undefined: int = 0
    is_wilson: bool = False


Intervals = Mapping[str, Interval | None]
"""An interval for each key of METRICS; None where none can be had."""


def bootstrap_scores(
    truth: Sequence[bool],
    decided: Sequence[bool],
    p_tp: Sequence[float] | None,
    groups: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals of the scores by every metric, by drawing whole groups with replacement.

    Samples of a group (a family of repositories, a file) are no independent witnesses, so they are
    drawn together. Draws in which a score is not defined (such as the recall without a TP) are
    left out; with more than 5 % of them, or with fewer than five groups, the interval is None.
    Shares that are the same in all draws, such as a recall of 1, have Wilson's interval.
    Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, sections 3.8, 5.3.
    """
    if len(set(groups)) < FEWEST_GROUPS:
        return {metric.key: None for metric in metrics.METRICS}
    parts = [
        weighted_scores(truth, decided, p_tp, weights)
        for weights in _weights_in_parts(groups, draws, seed)
    ]
    # of the samples as they are: Wilson takes hits and tries, which repeated samples would inflate
    shares = score(truth, decided, None).shares
    return {
        metric.key: wilson_where_flat(
            percentile_interval(np.concatenate([part[metric.key] for part in parts])),
            [shares[metric.key]] if metric.key in shares else [],
        )
        for metric in metrics.METRICS
    }


def draw_weights(groups: Sequence[str], draws: int, seed: int) -> Counts:
    """How often each draw holds each sample, shape [draws, samples].

    A draw takes as many groups as there are, with replacement, and all samples of each.
    """
    return np.concatenate(list(_weights_in_parts(groups, draws, seed)))


def percentile_interval(values: Floats) -> Interval | None:
    """The middle 95 % of the numbers among `values`, one a draw; None if over 5 % are NaN."""
    defined = values[~np.isnan(values)]
    undefined = len(values) - len(defined)
    if undefined > MOST_UNDEFINED * len(values):
        return None
    # at least 95 % of the draws are numbers here, so there is always something to take quantiles of
    low, high = np.quantile(defined, MIDDLE)
    return Interval(float(low), float(high), undefined)


def wilson_where_flat(found: Interval | None, shares: Sequence[tuple[int, int]]) -> Interval | None:
    """Wilson's interval of the shares in place of one without any width; the widest of several.

    No draw of samples that are all decided rightly has an error, but the next sample may have.
    """
    if found is None or found.low < found.high or not shares:
        return found
    # several are the seeds of a system in a comparison; a share of no tries is defined in no draw,
    # so that at least one has tries where an interval was found
    ends = [wilson(hits, count) for hits, count in shares if count]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    return Interval(low, high, found.undefined, is_wilson=True)


def _weights_in_parts(groups: Sequence[str], draws: int, seed: int) -> Iterator[Counts]:
    """The draws in their order, few enough at a time for their weights to fit in memory."""
    # sorted by unique: which groups a seed draws must not depend on the order of the samples
    names, member = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    chances = np.full(len(names), 1 / len(names))
    generator: np.random.Generator = np.random.default_rng(seed)
    # all draws are made before they are cut into parts, so that their size changes no number; a
    # multinomial count is what drawing with replacement comes to
    times: npt.NDArray[np.int64] = generator.multinomial(len(names), chances, size=draws)
    size = max(1, CELLS_AT_ONCE // len(groups))
    for start in range(0, draws, size):
        yield times[start : start + size][:, member]
