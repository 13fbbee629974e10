"""Every two systems on the same samples: McNemar's test, and how far their F1 lies apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.evaluation.comparison.mcnemar import McNemar, holm, mcnemar
from iacfilter_hpc.evaluation.comparison.measure import drawn_scores
from iacfilter_hpc.evaluation.comparison.systems import System
from iacfilter_hpc.evaluation.intervals import FEWEST_GROUPS, Interval, draw_weights, interval
from iacfilter_hpc.evaluation.scores import score
from iacfilter_hpc.evaluation.weighted import Floats

ALPHA = 0.05

Verdict = Literal["different", "unclear", "not separated"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two systems by title. McNemar's test is of their first members, the rest of all.

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
    def verdict(self) -> Verdict:
        """`different` only if both tests say so, and of the same system."""
        fewer_errors = self.mcnemar.first_only - self.mcnemar.second_only
        by_errors = self.p_adjusted < ALPHA
        by_f1 = self.interval is not None and not self.interval.low <= 0 <= self.interval.high
        if by_errors and by_f1 and fewer_errors * (self.difference or 0) > 0:
            return "different"
        return "unclear" if by_errors or by_f1 else "not separated"


def compare_pairs(
    systems: Sequence[System], samples: Sequence[Sample], draws: int, seed: int
) -> list[Pair]:
    """Every pair, in the order of the systems; `draws` and `seed` are the bootstrap's."""
    truth = [sample.label == "TP" for sample in samples]
    drawn = _drawn_f1(systems, samples, truth, draws, seed)
    means = {system.title: _mean_f1(system, truth) for system in systems}
    found = list(combinations(systems, 2))
    tests = [mcnemar(truth, one.first.decided, two.first.decided) for one, two in found]
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
                interval=interval(drawn[one.title] - drawn[two.title]) if drawn else None,
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
    weights = draw_weights(groups, draws, seed)
    drawn = {}
    for system in systems:
        decided_only = [replace(member, p_tp=None) for member in system.members]
        drawn[system.title] = drawn_scores(decided_only, truth, weights)["f1"]
    return drawn


def _mean_f1(system: System, truth: Sequence[bool]) -> float | None:
    values = [score(truth, member.decided, None).f1 for member in system.members]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
