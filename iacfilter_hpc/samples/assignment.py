"""Assignment of whole units to splits, with sizes and strata as near to their targets as can be.

A unit is a set of samples that must not be torn apart. A greedy start, then moves and swaps as long
as they help, from several random orders; the best of all counts. Everything random comes from one
seed, so the same input gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from random import Random

ROUNDS = 20
SHORT = 100.0
"""How much worse a sample too few is than one too many: those can be left out afterwards."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Targets of each split: samples, and samples of each stratum. `spare`: units may be unused."""

    sizes: tuple[int, ...]
    strata: tuple[tuple[float, ...], ...]
    spare: bool


def assign(units: Sequence[Sequence[int]], goal: Goal, seed: int) -> list[int]:
    """The split of each unit, [units]; the number of splits stands for unused.

    A unit is given as its samples' strata.
    """
    # an instance of its own: the global generator may be anybody's
    random = Random(seed)
    # about as much work whatever the number of units: the fewer there are, the more starts
    restarts = max(2, min(12, 4000 // max(1, len(units))))
    # large units first fill a split best, but where some may stay out they would be most of it.
    # They go first there only if a random order leaves a split short
    best = _best(units, goal, [not goal.spare] * restarts, random)
    if goal.spare and best.is_short:
        best = _best(units, goal, [True] * restarts, random)
    return best.split_of


def _best(
    units: Sequence[Sequence[int]], goal: Goal, starts: Sequence[bool], random: Random
) -> _Search:
    """The search with the lowest cost; each start says whether large units go first."""
    searches = []
    for large_first in starts:
        search = _Search(units, goal)
        search.start(random, large_first)
        search.improve(random)
        searches.append(search)
    return min(searches, key=lambda search: search.cost)


class _Search:
    """An assignment under way, with the counts that its cost is made of."""

    def __init__(self, units: Sequence[Sequence[int]], goal: Goal) -> None:
        self.goal = goal
        self.units = [_counted(unit) for unit in units]
        self.unit_sizes = [len(unit) for unit in units]
        self.unused = len(goal.sizes)
        self.split_of = [self.unused] * len(units)
        self.counts = [[0] * len(targets) for targets in goal.strata]
        self.weights = [[max(target, 1.0) for target in targets] for targets in goal.strata]
        self.sizes = [0] * len(goal.sizes)
        # kept up to date by _move: to sum it anew for each move tried would take most of the time
        self.cost = sum(self._size_cost(split, 0) for split in range(self.unused)) + sum(
            target**2 / max(target, 1.0) for targets in goal.strata for target in targets
        )

    @property
    def is_short(self) -> bool:
        """Whether a split has fewer samples than it should."""
        return any(found < size for found, size in zip(self.sizes, self.goal.sizes, strict=True))

    def start(self, random: Random, large_first: bool) -> None:
        """Place the units one by one, each where it helps most."""
        order = list(range(len(self.units)))
        random.shuffle(order)
        if large_first:
            order.sort(key=lambda unit: -self.unit_sizes[unit])
        for unit in order:
            self._move(unit, *self._best(unit))

    def improve(self, random: Random) -> None:
        """Move units, then swap them, as long as the cost falls."""
        order = list(range(len(self.units)))
        for _ in range(ROUNDS):
            before = self.cost
            random.shuffle(order)
            for unit in order:
                best, change = self._best(unit)
                # rounding alone must not count as a gain: a unit would go to and fro
                if change < -1e-9:
                    self._move(unit, best, change)
            self._swap_some(random)
            if self.cost > before - 1e-9:
                return

    def _swap_some(self, random: Random) -> None:
        # two units that are each too large to move alone may still change places
        if len(self.units) < 2:
            return
        for _ in range(2 * len(self.units)):
            one, other = random.randrange(len(self.units)), random.randrange(len(self.units))
            here, there = self.split_of[one], self.split_of[other]
            if here == there:
                continue
            before = self.cost
            # done and undone, not foretold: the change of the second depends on the first
            self._move(one, there, self._change(one, there))
            self._move(other, here, self._change(other, here))
            if self.cost > before - 1e-9:
                self._move(one, here, self._change(one, here))
                self._move(other, there, self._change(other, there))

    def _best(self, unit: int) -> tuple[int, float]:
        """The split that a unit helps most, the first of several, and the change of the cost."""
        here = self.split_of[unit]
        left = self._delta(unit, here, -1)
        best, least = 0, inf
        for split in range(self.unused + 1 if self.goal.spare else self.unused):
            change = 0.0 if split == here else left + self._delta(unit, split, 1)
            if change < least:
                best, least = split, change
        return best, least

    def _change(self, unit: int, split: int) -> float:
        """What moving a unit to another split would add to the cost."""
        return self._delta(unit, self.split_of[unit], -1) + self._delta(unit, split, 1)

    def _move(self, unit: int, split: int, change: float) -> None:
        self.cost += change
        for changed, sign in ((self.split_of[unit], -1), (split, 1)):
            if changed != self.unused:
                self.sizes[changed] += sign * self.unit_sizes[unit]
                counts = self.counts[changed]
                for stratum, count in self.units[unit]:
                    counts[stratum] += sign * count
        self.split_of[unit] = split

    def _delta(self, unit: int, split: int, sign: int) -> float:
        # to leave a unit out costs nothing by itself: what the splits lack does
        if split == self.unused:
            return 0.0
        size = self.sizes[split]
        changed = self._size_cost(split, size + sign * self.unit_sizes[unit])
        total = changed - self._size_cost(split, size)
        counts, targets, weights = (
            self.counts[split],
            self.goal.strata[split],
            self.weights[split],
        )
        for stratum, count in self.units[unit]:
            off = counts[stratum] - targets[stratum]
            # (off + d)^2 - off^2 = d * (2 * off + d), by the target as in a chi-square: one sample
            # too many weighs more in a rare stratum than in a frequent one
            step = sign * count
            total += step * (2 * off + step) / weights[stratum]
        return total

    def _size_cost(self, split: int, size: int) -> float:
        off = size - self.goal.sizes[split]
        return off * off * (SHORT if off < 0 else 1.0) / self.goal.sizes[split]


def _counted(unit: Sequence[int]) -> list[tuple[int, int]]:
    return [(stratum, unit.count(stratum)) for stratum in sorted(set(unit))]
