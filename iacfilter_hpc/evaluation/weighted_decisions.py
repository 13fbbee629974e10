"""Weighted decisions: confusion matrices and rankings of samples under many weights at once.

A bootstrap scores thousands of draws of the same samples; a draw is a weight for each sample, so
that one sort and a few sums over arrays do for all draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion matrices, one a draw: real TPs are tp + fn, false alarms fp + tn; [draws] each."""

    tp: Counts
    fp: Counts
    fn: Counts
    tn: Counts


@dataclass(frozen=True, slots=True)
class Ranking:
    """What each threshold keeps, from the highest p(TP) to the lowest; shape [draws, thresholds].

    Samples of equal p(TP) share a threshold.
    """

    tp: Counts
    fp: Counts

    @property
    def all_tp(self) -> Counts:
        """Real TPs in all, shape [draws, 1]."""
        return self.tp[:, -1:]

    @property
    def all_fp(self) -> Counts:
        """False alarms in all, shape [draws, 1]."""
        return self.fp[:, -1:]

    def kept_at(self, recall: float) -> tuple[Counts, Counts]:
        """TPs and FPs from the highest threshold on that keeps so many TPs: [draws, 1] each."""
        # the first threshold that is enough; the last one keeps all, so there is one. Without a TP
        # the share is NaN and never enough: argmax answers 0, and `defined` drops what follows from
        # it
        first = np.argmax(ratios(self.tp, self.all_tp) >= recall, axis=1)[:, np.newaxis]
        tp, fp = (np.take_along_axis(kept, first, axis=1) for kept in (self.tp, self.fp))
        return tp, fp

    def defined(self, values: Floats) -> Floats:
        """NaN where a class is missing: then nothing can be ranked above anything."""
        return np.where((self.all_tp * self.all_fp)[:, 0] > 0, values, np.nan)


# arrays compare element by element, so == would have no truth; no slots, for cached_property
@dataclass(frozen=True, eq=False)
class WeightedDecisions:
    """Decisions on n samples, each of which counts in each draw as often as its weight there says.

    `truth`, `decided` and `p_tp` have shape [n], True is TP; `weights` has shape [draws, n].
    What several metrics start from is computed when the first of them asks, and kept.
    """

    truth: Bools
    decided: Bools
    p_tp: Floats
    """Empty where it is not known."""
    weights: Counts

    @classmethod
    def of(
        cls,
        truth: Sequence[bool],
        decided: Sequence[bool],
        p_tp: Sequence[float] | None,
        weights: Counts | None = None,
    ) -> WeightedDecisions:
        """Decisions from lists; without `weights`, one draw in which each sample counts once."""
        return cls(
            truth=np.asarray(truth, dtype=bool),
            decided=np.asarray(decided, dtype=bool),
            p_tp=np.asarray([] if p_tp is None else p_tp, dtype=np.float64),
            weights=np.ones((1, len(truth)), dtype=np.int64) if weights is None else weights,
        )

    @cached_property
    def confusion(self) -> Confusion:
        """Right and wrong decisions."""
        real, kept = self.truth, self.decided
        parts = (real & kept, ~real & kept, real & ~kept, ~real & ~kept)
        return Confusion(*(self.weights[:, chosen].sum(axis=1) for chosen in parts))

    @cached_property
    def ranking(self) -> Ranking:
        """What thresholds keep; p(TP) must be known, and samples must be there."""
        # one sort serves all draws: weights change how often a sample counts, never its place
        order = np.argsort(-self.p_tp, kind="stable")
        # a threshold lies at the end of each run of equal p(TP)
        ends = np.append(np.flatnonzero(np.diff(self.p_tp[order])), len(order) - 1)
        ordered, real = self.weights[:, order], self.truth[order]
        return Ranking(
            tp=np.cumsum(ordered * real, axis=1)[:, ends],
            fp=np.cumsum(ordered * ~real, axis=1)[:, ends],
        )


def ratios(part: npt.NDArray[np.number], whole: npt.NDArray[np.number]) -> Floats:
    """NaN for 0/0, as a score that is not defined."""
    # where=, as dividing first and replacing later would warn of each 0/0
    found: Floats = np.divide(
        part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0
    )
    return found
