"""Regions: contexts that may be nearly the same, and which of them are.

Two contexts are, if their shingles overlap by NEAR (Jaccard). Regions come from the rarest shingles
of each context; within one, all others are counted at once, by masks of samples.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from iacfilter_hpc.samples.near.clusters import Clusters
from iacfilter_hpc.samples.near.forest import Forest
from iacfilter_hpc.samples.near.masks import Masks, at_least, count_bits, mask_of
from iacfilter_hpc.samples.near.shingles import Shingled, shingle

NEAR = (4, 5)
"""Share that two contexts need in common of what either has: a fraction, to be exact."""
LEAST, BOTH = NEAR[0], sum(NEAR)
"""Sets of sizes a and b are near if BOTH * shared >= LEAST * (a + b): Jaccard, undivided."""
ONE_BY_ONE = 10
"""Contexts that are compared one by one in the time of counting all of a small region at once."""
WIDE = 4096
"""Bits of a mask for which the work on its bits takes as long as the call."""


@dataclass(frozen=True, slots=True)
class Context:
    """A context: its text without case and quotes, its samples, and their file if it is one."""

    text: str
    samples: tuple[int, ...]
    file: int | None


def find_regions(contexts: Sequence[Context]) -> list[Region]:
    """Regions of two or more contexts; no context is near to one of another region."""
    shingled = shingle([context.text for context in contexts])
    forest = Forest(len(contexts))
    first: dict[int, int] = {}
    for number, each in enumerate(shingled):
        for element in _prefix(each):
            forest.join(first.setdefault(element, number), number)
    return [
        Region([contexts[number] for number in group], [shingled[number] for number in group])
        for group in forest.groups()
        if len(group) > 1
    ]


def _prefix(each: Shingled) -> array[int]:
    """The rarest shingles, of which any near context shares one.

    Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins", ICDE 2006.
    """
    needed = -(-NEAR[0] * each.size // NEAR[1])
    return each.common[: max(0, each.size - needed + 1 - each.rare)]


class Region:
    """Contexts in order; a bit of a mask stands for a sample, those of a context side by side."""

    def __init__(self, contexts: Sequence[Context], shingled: Sequence[Shingled]) -> None:
        self.contexts, self.shingled = contexts, shingled
        self.samples = [sample for context in contexts for sample in context.samples]
        self.width = len(self.samples)
        self.own: list[range] = []
        self._files = Masks(self.width)
        self._index: defaultdict[int, list[int]] = defaultdict(list)
        for number, context in enumerate(contexts):
            start = self.own[-1].stop if self.own else 0
            self.own.append(range(start, start + len(context.samples)))
            if context.file is not None:
                self._files.add(context.file, self.own[-1])
            for element in _prefix(shingled[number]):
                self._index[element].append(number)

    def own_mask(self, number: int) -> int:
        """The samples of a context."""
        own = self.own[number]
        return (1 << len(own)) - 1 << own.start

    def near(self, number: int) -> int:
        """The samples of all contexts that are near to this one, in other files.

        Neighbouring lines of one file have most of their context in common.
        """
        candidates = self._few_candidates(number)
        if candidates is None:
            found = _differences(self).near(number)
        else:
            found = self._compared(number, candidates)
        found &= ~self.own_mask(number)
        file = self.contexts[number].file
        return found if file is None or not found else found & ~self._files[file]

    def clusters(self) -> list[tuple[int, ...]]:
        """Samples that near contexts tie together, each cluster in order."""
        found = Clusters(self.width)
        for number, own in enumerate(self.own):
            if near := self.near(number):
                found.join(own.start, near | self.own_mask(number))
        return [tuple(sorted(self.samples[bit] for bit in bits)) for bits in found.found()]

    def _few_candidates(self, number: int) -> set[int] | None:
        """Contexts that share a rare shingle; None if there are too many to compare."""
        limit = ONE_BY_ONE * (1 + self.width // WIDE)
        lists = [self._index[element] for element in _prefix(self.shingled[number])]
        if any(len(each) > limit for each in lists):
            return None
        candidates = set().union(*lists)
        return candidates if len(candidates) <= limit else None

    def _compared(self, number: int, candidates: set[int]) -> int:
        one = self.shingled[number]
        elements = set(one.common)
        near = [
            bit
            for other in candidates
            if _is_near(one.size, elements, self.shingled[other])
            for bit in self.own[other]
        ]
        return mask_of(near, self.width)


def _is_near(size: int, elements: set[int], other: Shingled) -> bool:
    least = LEAST * (size + other.size)
    return BOTH * min(size, other.size) >= least and (
        BOTH * len(elements.intersection(other.common)) >= least
    )


# of one region at a time, as all of them together would take gigabytes
@lru_cache(maxsize=1)
def _differences(region: Region) -> _Differences:
    return _Differences(region.shingled, region.own)


class _Differences:
    """Shingles in which each context differs from what most of a region have.

    Copies of one text differ in few, so that few masks are to be counted. Where D is the difference
    of a set from the base, |x & y| = (|x| + |y| - |Dx| - |Dy|) / 2 + |Dx & Dy|.
    """

    def __init__(self, shingled: Sequence[Shingled], own: Sequence[range]) -> None:
        self.own = own
        width = own[-1].stop
        counts = Counter[int]()
        for each in shingled:
            counts.update(each.common)
        base = {element for element, count in counts.items() if 2 * count > len(shingled)}
        self._masks, levels = Masks(width), Masks(width)
        self._differing: list[array[int]] = []
        self._level: list[int] = []
        for each, bits in zip(shingled, own, strict=True):
            differing = base.symmetric_difference(each.common)
            for element in differing:
                self._masks.add(element, bits)
            self._differing.append(array("I", differing))
            # near if 2 * BOTH * |Dx & Dy| >= the sum of both levels
            differences = len(differing) + each.rare
            self._level.append(BOTH * differences - (BOTH - 2 * LEAST) * each.size)
            levels.add(self._level[-1], bits)
        self._levels = sorted(set(self._level))
        self._up_to: list[int] = []
        for level in self._levels:
            self._up_to.append(levels[level] | (self._up_to[-1] if self._up_to else 0))

    def near(self, number: int) -> int:
        """The samples of all contexts that are near to this one, its own among them."""
        width = len(self.own[number])
        elements = self._differing[number]
        shared = [self._masks[e] for e in elements if self._masks.count(e) > width]
        most, digits = len(shared), count_bits(shared)
        found, own = 0, self._level[number]
        # each count that is needed by some, from the least
        for last, needed in self._needed(own):
            if needed > most:
                break
            among = self._up_to[last]
            found |= among if needed <= 0 else at_least(digits, needed, among)
        return found

    def _needed(self, own: int) -> list[tuple[int, int]]:
        """Shared differences that contexts need to be near, with the last level that needs them."""
        last: dict[int, int] = {}
        for place, level in enumerate(self._levels):
            last[-(-(own + level) // (2 * BOTH))] = place
        return [(place, needed) for needed, place in last.items()]
