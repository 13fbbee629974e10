"""Scores of a system: means over its members, how far the members scatter, and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev

import numpy as np

from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.evaluation.comparison.systems import Member, System
from iacfilter_hpc.evaluation.intervals import (
    CELLS_AT_ONCE,
    FEW_GROUPS,
    FEWEST_GROUPS,
    MEASURES,
    Interval,
    draw_weights,
    interval,
    spread,
)
from iacfilter_hpc.evaluation.scores import Scores, score
from iacfilter_hpc.evaluation.weighted import Counts, Floats, WeightedScores, weighted_scores


@dataclass(frozen=True, slots=True)
class Measured:
    """One score: its mean over the members, the standard deviation (n - 1) of a member, 95 %.

    The interval is that of the mean: it says how much the choice of samples matters, `sd` how much
    the seed does. `mean` is None where any member lacks the score, `sd` where there is one member.
    """

    mean: float | None
    sd: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class SystemCell:
    """How a system decides some of the samples; `measured` has every name of MEASURES."""

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
class SystemCells:
    """All samples, and the same by smell and by technology, in the order of names."""

    overall: SystemCell
    by_smell: tuple[SystemCell, ...]
    by_technology: tuple[SystemCell, ...]

    @property
    def macro_f1(self) -> Measured:
        """The mean F1 over smells, each weighing the same; it has no interval."""
        by_member = zip(*(cell.members for cell in self.by_smell), strict=True)
        return _measured([_mean([scores.f1 for scores in found]) for found in by_member], None)


def measure(system: System, samples: Sequence[Sample], draws: int, seed: int) -> SystemCells:
    """Score a system; `draws` and `seed` are the bootstrap's."""

    def split(names: Sequence[str]) -> tuple[SystemCell, ...]:
        return tuple(
            _cell(system, samples, name, [i for i, own in enumerate(names) if own == name], boot)
            for name in sorted(set(names))
        )

    boot = _Bootstrap(draws, seed)
    return SystemCells(
        overall=_cell(system, samples, "all", range(len(samples)), boot),
        by_smell=split([sample.smell for sample in samples]),
        by_technology=split([sample.technology for sample in samples]),
    )


def drawn_scores(
    members: Sequence[Member], truth: Sequence[bool], weights: Counts
) -> Mapping[str, Floats]:
    """Each score in each draw, as the mean over the members; NaN where any of them lacks it.

    `weights` has shape [draws, samples], each result shape [draws].
    """
    rows = [list(_in_parts(member, truth, weights)) for member in members]
    return {
        name: np.mean([np.concatenate([getattr(w, name) for w in parts]) for parts in rows], axis=0)
        for name in MEASURES
    }


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    draws: int
    seed: int


def _cell(
    system: System, samples: Sequence[Sample], name: str, chosen: Sequence[int], boot: _Bootstrap
) -> SystemCell:
    members = [_cut(member, chosen) for member in system.members]
    truth = [samples[i].label == "TP" for i in chosen]
    groups = [samples[i].group for i in chosen]
    scores = tuple(score(truth, member.decided, member.p_tp) for member in members)
    drawn: Mapping[str, Floats] | None = None
    if len(set(groups)) >= FEWEST_GROUPS:
        drawn = drawn_scores(members, truth, draw_weights(groups, boot.draws, boot.seed))
    measured = {
        measure: _measured(
            [getattr(each, measure) for each in scores],
            None if drawn is None else spread(interval(drawn[measure]), _shares(scores, measure)),
        )
        for measure in MEASURES
    }
    return SystemCell(name, len(set(groups)), scores, measured)


def _shares(scores: Sequence[Scores], name: str) -> list[tuple[int, int]]:
    """Hits and counts of a score that is a share; none of another."""
    return [each.shares[name] for each in scores if name in each.shares]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def _measured(values: Sequence[float | None], found: Interval | None) -> Measured:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Measured(None, None, found)
    return Measured(mean(known), stdev(known) if len(known) > 1 else None, found)


def _cut(member: Member, chosen: Sequence[int]) -> Member:
    """The member on some of the samples."""
    return replace(
        member,
        decided=tuple(member.decided[i] for i in chosen),
        p_tp=None if member.p_tp is None else tuple(member.p_tp[i] for i in chosen),
    )


def _in_parts(member: Member, truth: Sequence[bool], weights: Counts) -> Iterator[WeightedScores]:
    """The scores of few enough draws at a time to fit in memory."""
    size = max(1, CELLS_AT_ONCE // len(truth))
    for start in range(0, len(weights), size):
        yield weighted_scores(truth, member.decided, member.p_tp, weights[start : start + size])
