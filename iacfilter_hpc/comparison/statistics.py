"""Statistics of systems: means, scatter and intervals of scores, and tests of every two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from statistics import mean, stdev

import numpy as np
from scipy.stats import binomtest

from iacfilter_hpc.comparison.systems import Member, System
from iacfilter_hpc.evaluation import metrics
from iacfilter_hpc.evaluation.bootstrap import (
    CELLS_AT_ONCE,
    FEW_GROUPS,
    FEWEST_GROUPS,
    Interval,
    draw_weights,
    percentile_interval,
    wilson_where_flat,
)
from iacfilter_hpc.evaluation.metrics import Scores, score, weighted_scores
from iacfilter_hpc.evaluation.weighted_decisions import Counts, Floats
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, slots=True)
class McNemar:
    """Result of McNemar's test: samples that one system alone decides rightly, two-sided p-value.

    `first_only` and `second_only` are the discordant counts, often written b and c.
    """

    first_only: int
    second_only: int
    p: float


def mcnemar(truth: Sequence[bool], first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """McNemar's exact test: of equally good systems, each discordant sample is a coin toss.

    Each sequence has shape [n]; True is TP.
    It looks at right and wrong decisions only, so a lost TP weighs as much as a kept FP.
    Source: McNemar, Psychometrika 12, 1947; Dietterich, Neural Computation 10, 1998.
    """
    rows = list(zip(truth, first, second, strict=True))
    first_only = sum(one == real != two for real, one, two in rows)
    second_only = sum(two == real != one for real, one, two in rows)
    tosses = first_only + second_only
    # exact, as chi-squared only approximates it where discordant samples are few; binomtest refuses
    # 0 tosses, and systems that never differ are not told apart
    p = float(binomtest(first_only, tosses).pvalue) if tosses else 1.0
    return McNemar(first_only, second_only, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment of p-values for all of them together, in their own order.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for rank, i in enumerate(order):
        # never below the adjusted p of a smaller one: Holm stops at the first that is not rejected
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


@dataclass(frozen=True, slots=True)
class Measured:
    """Measured score: mean over the members, standard deviation (n - 1) of a member, 95 %.

    The interval is that of the mean: it says how much the choice of samples matters, `sd` how much
    the seed does. `mean` is None where any member lacks the score, `sd` where there is one member.
    """

    mean: float | None
    sd: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class SystemScores:
    """Scores of a system on some of the samples; `measured` has every key of METRICS."""

    name: str
    groups: int
    members: tuple[Scores, ...]
    measured: Mapping[str, Measured]

    @property
    def first(self) -> Scores:
        """The scores of the member that stands for the system."""
        return self.members[0]

    @property
    def few_groups(self) -> bool:
        """Whether there are too few groups for an interval to be wide enough."""
        return self.groups < FEW_GROUPS


@dataclass(frozen=True, slots=True)
class SystemBreakdown:
    """Breakdown of a system's scores: all samples, then by smell and technology, by name."""

    overall: SystemScores
    by_smell: tuple[SystemScores, ...]
    by_technology: tuple[SystemScores, ...]

    @property
    def macro_f1(self) -> Measured:
        """Macro F1: the mean over smells, each weighing the same; it has no interval."""
        # by member first: macro F1 is a score of one seed, and sd is that of such scores
        by_member = zip(*(smell.members for smell in self.by_smell), strict=True)
        return _measured([_mean([scores["f1"] for scores in found]) for found in by_member], None)


def measure(system: System, samples: Sequence[Sample], draws: int, seed: int) -> SystemBreakdown:
    """Breakdown of a system; `draws` and `seed` are the bootstrap's."""

    def split(names: Sequence[str]) -> tuple[SystemScores, ...]:
        return tuple(
            _score_subset(
                system, samples, name, [i for i, own in enumerate(names) if own == name], boot
            )
            for name in sorted(set(names))
        )

    # one seed for every system: each subset is scored in the same draws, whoever decides it
    boot = _Bootstrap(draws, seed)
    return SystemBreakdown(
        overall=_score_subset(system, samples, "all", range(len(samples)), boot),
        by_smell=split([sample.smell for sample in samples]),
        by_technology=split([sample.technology for sample in samples]),
    )


def drawn_scores(
    members: Sequence[Member], truth: Sequence[bool], weights: Counts
) -> Mapping[str, Floats]:
    """Scores in each draw, each as the mean over the members; NaN where any of them lacks it.

    `weights` has shape [draws, samples], each result shape [draws].
    """
    # mean within a draw, quantiles over draws: so the interval is that of the mean over seeds
    rows = [list(_in_parts(member, truth, weights)) for member in members]
    return {
        # np.mean passes NaN on: a draw counts for all members or for none
        metric.key: np.mean(
            [np.concatenate([part[metric.key] for part in parts]) for parts in rows], axis=0
        )
        for metric in metrics.METRICS
    }


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    draws: int
    seed: int


def _score_subset(
    system: System, samples: Sequence[Sample], name: str, chosen: Sequence[int], boot: _Bootstrap
) -> SystemScores:
    members = [_cut(member, chosen) for member in system.members]
    truth = [samples[i].label == "TP" for i in chosen]
    groups = [samples[i].group for i in chosen]
    scores = tuple(score(truth, member.decided, member.p_tp) for member in members)
    drawn: Mapping[str, Floats] | None = None
    # the same limit as that of an evaluation, or both would show other intervals of one system
    if len(set(groups)) >= FEWEST_GROUPS:
        drawn = drawn_scores(members, truth, draw_weights(groups, boot.draws, boot.seed))
    measured = {
        key: _measured(
            [each[key] for each in scores],
            None
            if drawn is None
            else wilson_where_flat(percentile_interval(drawn[key]), _shares(scores, key)),
        )
        for key in (metric.key for metric in metrics.METRICS)
    }
    return SystemScores(name, len(set(groups)), scores, measured)


def _shares(scores: Sequence[Scores], key: str) -> list[tuple[int, int]]:
    """Hits and tries by a metric that is a share; none by another."""
    return [each.shares[key] for each in scores if key in each.shares]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    # a mean over those that have it would be of other seeds or smells than that of the next system
    return mean(known) if len(known) == len(values) else None


def _measured(values: Sequence[float | None], found: Interval | None) -> Measured:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Measured(None, None, found)
    return Measured(mean(known), stdev(known) if len(known) > 1 else None, found)


def _cut(member: Member, chosen: Sequence[int]) -> Member:
    """Member on some of the samples."""
    return replace(
        member,
        decided=tuple(member.decided[i] for i in chosen),
        p_tp=None if member.p_tp is None else tuple(member.p_tp[i] for i in chosen),
    )


def _in_parts(
    member: Member, truth: Sequence[bool], weights: Counts
) -> Iterator[dict[str, Floats]]:
    """The scores of few enough draws at a time to fit in memory."""
    # intermediate arrays are as large as the weights, and there are several
    size = max(1, CELLS_AT_ONCE // len(truth))
    for start in range(0, len(weights), size):
        yield weighted_scores(truth, member.decided, member.p_tp, weights[start : start + size])


ALPHA = 0.05
"""Level of McNemar's test; that of the interval of the difference is 1 - 0.95, the same."""


class Separation(StrEnum):
    """Separation of two systems by the data; unclear is where the two tests disagree."""

    DIFFERENT = "different"
    UNCLEAR = "unclear"
    NOT_SEPARATED = "not separated"


@dataclass(frozen=True, slots=True)
class Pair:
    """Pair of systems, by title. McNemar's test is of their first members, the rest of all.

    `p_adjusted` is Holm's over all pairs. `difference` is F1 of the first less F1 of the second,
    each the mean over members; `interval` is its middle 95 % over draws of whole groups.
    """

    first: str
    second: str
    mcnemar: McNemar
    p_adjusted: float
    difference: float | None
    interval: Interval | None

    @property
    def separation(self) -> Separation:
        """Verdict on the pair: different only if both tests say so, and of the same system."""
        # both, since each is blind to something: McNemar's test takes samples of one family for
        # independent and looks at one seed; F1 by the bootstrap is not corrected for many pairs
        fewer_errors = self.mcnemar.first_only - self.mcnemar.second_only
        by_errors = self.p_adjusted < ALPHA
        by_f1 = self.interval is not None and not self.interval.low <= 0 <= self.interval.high
        # fewer errors and a lower F1 can go together: F1 does not count false alarms removed
        if by_errors and by_f1 and fewer_errors * (self.difference or 0) > 0:
            return Separation.DIFFERENT
        return Separation.UNCLEAR if by_errors or by_f1 else Separation.NOT_SEPARATED


def compare_pairs(
    systems: Sequence[System], samples: Sequence[Sample], draws: int, seed: int
) -> list[Pair]:
    """Pairs of all systems, in their order; `draws` and `seed` are the bootstrap's."""
    truth = [sample.label == "TP" for sample in samples]
    drawn = _drawn_f1(systems, samples, truth, draws, seed)
    means = {system.title: _mean_f1(system, truth) for system in systems}
    found = list(combinations(systems, 2))
    tests = [mcnemar(truth, one.first.decided, two.first.decided) for one, two in found]
    # over all pairs, not only those that a reader would ask for: whoever picks sees them all
    adjusted = holm([test.p for test in tests])
    pairs = []
    for (one, two), test, p_adjusted in zip(found, tests, adjusted, strict=True):
        of_one, of_two = means[one.title], means[two.title]
        pairs.append(
            Pair(
                first=one.title,
                second=two.title,
                mcnemar=test,
                p_adjusted=p_adjusted,
                difference=None if of_one is None or of_two is None else of_one - of_two,
                interval=percentile_interval(drawn[one.title] - drawn[two.title])
                if drawn
                else None,
            )
        )
    return pairs


def _drawn_f1(
    systems: Sequence[System],
    samples: Sequence[Sample],
    truth: Sequence[bool],
    draws: int,
    seed: int,
) -> Mapping[str, Floats]:
    """F1 of each system in the same draws; empty where there are too few groups."""
    groups = [sample.group for sample in samples]
    if len(set(groups)) < FEWEST_GROUPS:
        return {}
    # one set of draws for all systems: what is hard for both is no difference between them
    weights = draw_weights(groups, draws, seed)
    drawn = {}
    for system in systems:
        # without p(TP) nothing has to be sorted
        decided_only = [replace(member, p_tp=None) for member in system.members]
        drawn[system.title] = drawn_scores(decided_only, truth, weights)["f1"]
    return drawn


def _mean_f1(system: System, truth: Sequence[bool]) -> float | None:
    values = [score(truth, member.decided, None)["f1"] for member in system.members]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
