"""Splits of samples into train, validation and perhaps test, with nothing shared between them.

What must not be torn apart is a set of samples tied by origin, and if it can be, by code as well.
One common line, such as `user: root`, may tie all of a corpus: then samples are left out instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from random import Random
from typing import TYPE_CHECKING, Literal

from iacfilter_hpc.errors import DataError, counted
from iacfilter_hpc.samples.assignment import Goal, assign
from iacfilter_hpc.samples.duplicates import Kind, Tie, find_ties, near_regions, tie_clusters
from iacfilter_hpc.samples.near.forest import Forest
from iacfilter_hpc.samples.near.masks import lowest, mask_of, numbers_in
from iacfilter_hpc.samples.near.region import Region

if TYPE_CHECKING:
    from iacfilter_hpc.samples.sample import Sample

By = Literal["auto", "family", "repo", "file"]
KEPT_WHOLE: dict[By, tuple[Kind, ...]] = {
    "auto": ("file", "repo", "family"),
    "family": ("file", "repo", "family"),
    "repo": ("file", "repo"),
    "file": ("file",),
}
"""What must not be in two splits; `auto` takes the largest of the three that each sample names."""


def check_origins(samples: Sequence[Sample], by: By) -> None:
    """Raise DataError unless every sample names what it is to be split by."""
    if by in ("auto", "file"):
        return
    lacking = [sample for sample in samples if getattr(sample, by) is None]
    if lacking:
        first = lacking[0]
        raise DataError(
            f"{len(lacking)} of {len(samples)} samples name no {by}, the first is "
            f"{first.file}:{first.line}",
            hint="--groups CSV names repositories and families; --by auto takes what is known",
        )


def join(count: int, ties: Iterable[Tie]) -> list[tuple[int, ...]]:
    """Units: the sets of samples that ties connect, each in order, by their first sample."""
    forest = Forest(count)
    for tie in ties:
        for index in tie.members[1:]:
            forest.join(tie.members[0], index)
    return [tuple(unit) for unit in forest.groups()]


NAMES = ("train", "validation", "test")
TOLERANCE = 0.1
"""How far shares may be missed because groups stay whole."""
TRIES = 8
"""Rounds of asking for more where samples that share code had to leave; each splits anew."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Samples of each split. `exact` sizes are kept to the sample, shares as groups allow."""

    counts: tuple[int, ...]
    exact: bool


class LeftOutCause(Enum):
    """LeftOutCause why a sample is of no split."""

    SHARED = auto()
    """A larger split has code of it."""
    ENOUGH = auto()
    """Its split has as many samples as were asked for."""
    GROUP = auto()
    """Its whole group is needed nowhere."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Sample of no split, by its index, and why; `part` is a split's name, `kind` a tie's."""

    index: int
    cause: LeftOutCause
    part: str | None = None
    kind: Kind | None = None

    @property
    def reason(self) -> str:
        """The same in words."""
        match self.cause:
            case LeftOutCause.SHARED:
                return f"its {self.kind} is in {self.part} too"
            case LeftOutCause.ENOUGH:
                return f"{self.part} has enough"
            case LeftOutCause.GROUP:
                return "its group is not needed"


@dataclass(frozen=True, slots=True)
class Split:
    """Split: indices of each part, in the input's order; `units` is how many sets were kept whole.

    `joined` says that groups which share code were kept together too; otherwise one sample of two
    that share code is left out.
    """

    parts: tuple[tuple[int, ...], ...]
    left_out: tuple[LeftOut, ...]
    units: int
    joined: bool


def split(samples: Sequence[Sample], sizes: Sizes, by: By, seed: int) -> Split:
    """Split samples by groups, stratified by technology, smell and label.

    Groups that share code are kept together, unless so many do that the sizes cannot be reached.

    Raises:
        DataError: the sizes cannot be reached, or samples do not say what group they are of.
    """
    check_origins(samples, by)
    if sum(sizes.counts) > len(samples):
        raise DataError(
            f"{sum(sizes.counts)} samples are asked for, there are {len(samples)}",
            hint="ask for fewer, or for shares such as 0.8/0.2",
        )
    # the same samples in another order are split alike
    order = sorted(range(len(samples)), key=lambda i: (samples[i].key, samples[i].label or "", i))
    work = _Work([samples[index] for index in order], sizes, by, seed)
    found = work.joined()
    joined = found is not None
    if found is None:
        found = work.apart()
    parts = tuple(tuple(sorted(order[index] for index in part)) for part in found.parts)
    left_out = sorted(
        (replace(out, index=order[out.index]) for out in found.left_out), key=lambda out: out.index
    )
    return Split(parts, tuple(left_out), found.units, joined)


class _Work:
    """Work of a split: the samples in an order of their own, with the ties between them."""

    def __init__(self, samples: Sequence[Sample], sizes: Sizes, by: By, seed: int) -> None:
        self.sizes, self.seed = sizes, seed
        self.spare = sum(sizes.counts) < len(samples)
        names = [(sample.technology, sample.smell, sample.label or "") for sample in samples]
        # sorted, as a set's order changes with Python's hash seed, and with it the split
        strata = {name: number for number, name in enumerate(sorted(set(names)))}
        self.strata = [strata[name] for name in names]
        self.shares = [count / len(names) for _, count in sorted(Counter(self.strata).items())]
        self.origin = find_ties(samples, KEPT_WHOLE[by])
        self.equal = find_ties(samples, ("content", "context"))
        self.regions = near_regions(samples)
        self.near = tie_clusters(samples, self.regions)

    def joined(self) -> Split | None:
        """The split that keeps groups with shared code together, if its sizes are right."""
        parts = self._assigned([*self.origin, *self.equal, *self.near], self.sizes.counts)
        return self._finished(parts, {}) if self._fits(parts) else None

    def apart(self) -> Split:
        """The split that keeps groups whole, less the samples that share code with another split.

        They leave the smaller split, which is asked for more until it is large enough.
        """
        # the samples that leave are known only once there is a split: asking for as many more may
        # make others leave, hence in rounds
        asked = list(self.sizes.counts)
        parts: list[list[int]] = []
        dropped: dict[int, LeftOut] = {}
        for _ in range(TRIES):
            parts = self._assigned(self.origin, asked)
            dropped = self._shared(parts)
            parts = [[index for index in part if index not in dropped] for part in parts]
            short = [max(0, n - len(p)) for n, p in zip(self.sizes.counts, parts, strict=True)]
            # shares may be missed, and without spare samples there is nothing to ask for
            if not (self.sizes.exact and self.spare and any(short)):
                break
            asked = [n + missing for n, missing in zip(asked, short, strict=True)]
        self._check_possible(parts, len(dropped))
        return self._finished(parts, dropped)

    def _assigned(self, ties: Sequence[Tie], counts: Sequence[int]) -> list[list[int]]:
        self.units = join(len(self.strata), ties)
        goal = Goal(
            sizes=tuple(counts),
            strata=tuple(tuple(share * count for share in self.shares) for count in counts),
            spare=self.spare,
        )
        of_unit = assign([[self.strata[i] for i in unit] for unit in self.units], goal, self.seed)
        parts: list[list[int]] = [[] for _ in counts]
        for unit, part in zip(self.units, of_unit, strict=True):
            if part < len(counts):
                parts[part] += unit
        return [sorted(part) for part in parts]

    def _fits(self, parts: Sequence[Sequence[int]]) -> bool:
        pairs = [(len(p), n) for p, n in zip(parts, self.sizes.counts, strict=True)]
        # more than enough is well: _trimmed takes what is beyond an exact size
        if self.sizes.exact:
            return all(found >= wanted for found, wanted in pairs)
        # at least one sample: a tenth of a small split is less than that
        return all(
            found and abs(found - wanted) <= max(1, TOLERANCE * wanted) for found, wanted in pairs
        )

    def _check_possible(self, parts: Sequence[Sequence[int]], dropped: int) -> None:
        """Raise DataError if a size is missed, or nothing is left for a share."""
        if all(parts) and (not self.sizes.exact or self._fits(parts)):
            return
        wanted = "/".join(str(size) for size in self.sizes.counts)
        possible = "/".join(str(len(part)) for part in parts)
        shared = ""
        if dropped:
            sharing = counted(dropped, "sample shares", "samples share")
            shared = f"{sharing} code with another split: --dedupe; "
        here = f"{counted(len(self.strata), 'sample')} in {counted(len(self.units), 'group')}"
        raise DataError(
            f"{here} cannot be split {wanted}",
            hint=f"possible here: {possible}\n{shared}shares (0.8/0.2) or smaller groups "
            "(--by file) bind less",
        )

    def _shared(self, parts: Sequence[Sequence[int]]) -> dict[int, LeftOut]:
        """Samples to leave out so that no code is in two splits, and why."""
        # the larger split keeps shared code: a smaller one is filled up again with fewer samples
        by_size = sorted(range(len(parts)), key=lambda part: -self.sizes.counts[part])
        kept = {index: rank for rank, part in enumerate(by_size) for index in parts[part]}
        leaving = _Leaving(kept, [NAMES[part] for part in by_size])
        for tie in self.equal:
            leaving.leave_equal(tie)
        for region in self.regions:
            leaving.leave_near(region)
        return leaving.dropped

    def _finished(self, parts: Sequence[Sequence[int]], dropped: dict[int, LeftOut]) -> Split:
        # a generator of its own: how many numbers the assignment has drawn must not matter
        random = Random(self.seed)
        left_out = list(dropped.values())
        kept = []
        for number, part in enumerate(parts):
            extra = self._trimmed(part, self.sizes.counts[number], random)
            left_out += [
                LeftOut(index, LeftOutCause.ENOUGH, NAMES[number]) for index in sorted(extra)
            ]
            kept.append(tuple(index for index in part if index not in extra))
        used = {index for part in kept for index in part} | {out.index for out in left_out}
        left_out += [
            LeftOut(index, LeftOutCause.GROUP)
            for index in range(len(self.strata))
            if index not in used
        ]
        return Split(tuple(kept), tuple(left_out), len(self.units), joined=False)

    def _trimmed(self, part: Sequence[int], size: int, random: Random) -> set[int]:
        """Samples beyond an exact size, from the strata that have most beyond their share."""
        extra: set[int] = set()
        if not self.sizes.exact:
            return extra
        of_stratum: list[list[int]] = [[] for _ in self.shares]
        # shuffled, as the samples stand by their keys: each seed would trim the same ones
        for index in random.sample(list(part), len(part)):
            of_stratum[self.strata[index]].append(index)
        while len(part) - len(extra) > size:
            most = max(
                (number for number, members in enumerate(of_stratum) if members),
                key=lambda n: len(of_stratum[n]) - size * self.shares[n],
            )
            extra.add(of_stratum[most].pop())
        return extra


class _Leaving:
    """Samples that leave their split, as a larger one, of a lower rank, has code of them too."""

    def __init__(self, kept: dict[int, int], names: Sequence[str]) -> None:
        self.kept, self.names = kept, names
        self.dropped: dict[int, LeftOut] = {}

    def leave_equal(self, tie: Tie) -> None:
        """Leave the samples of one value in the largest split that has any."""
        kept = [index for index in tie.members if index in self.kept]
        largest = min((self.kept[index] for index in kept), default=0)
        for index in kept:
            if self.kept[index] > largest:
                self._drop(index, largest, tie.kind)

    def leave_near(self, region: Region) -> None:
        """Leave the samples of one of each two near contexts, the later pairs after the earlier.

        Equal contexts come first: what is then kept of a context is in one split.
        """
        of_rank = self._of_rank(region)
        for number, context in enumerate(region.contexts):
            ranks = {self.kept[index] for index in context.samples if index in self.kept}
            if not ranks:
                continue
            rank = ranks.pop()
            before = (1 << region.own[number].start) - 1
            # only what is in another split can tear a pair, and mostly nothing is
            if not any(mask & before for other, mask in enumerate(of_rank) if other != rank):
                continue
            near = region.near(number) & before
            larger = [near & mask for mask in of_rank[:rank]]
            first = min((lowest(mask) for mask in larger if mask), default=None)
            if first is not None:
                # this context leaves at the first that is in a larger split, and is no reason then
                near &= (1 << first) - 1
            for other in range(rank + 1, len(of_rank)):
                leaving = near & of_rank[other]
                of_rank[other] ^= leaving
                for bit in numbers_in(leaving):
                    self._drop(region.samples[bit], rank, "near-context")
            if first is not None:
                of_rank[rank] &= ~region.own_mask(number)
                largest = self.kept[region.samples[first]]
                for index in context.samples:
                    if index in self.kept:
                        self._drop(index, largest, "near-context")

    def _of_rank(self, region: Region) -> list[int]:
        """A mask of the kept samples of each split."""
        bits: list[list[int]] = [[] for _ in self.names]
        for bit, index in enumerate(region.samples):
            if index in self.kept:
                bits[self.kept[index]].append(bit)
        return [mask_of(each, region.width) for each in bits]

    def _drop(self, index: int, rank: int, kind: Kind) -> None:
        self.dropped[index] = LeftOut(index, LeftOutCause.SHARED, self.names[rank], kind)
        del self.kept[index]
