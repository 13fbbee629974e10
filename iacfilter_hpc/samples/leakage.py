"""Leakage: what data files share and must not, and what each of them holds twice.

A model that has trained on a sample of the test set knows its answer: with random folds instead of
whole families a linear classifier gained .34 of F1 on the oracle's 230 detections.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from iacfilter_hpc.samples.duplicates import CODE, KINDS, Kind, find_ties, near_regions
from iacfilter_hpc.samples.hashes import same_file, same_repo
from iacfilter_hpc.samples.near.clusters import Clusters
from iacfilter_hpc.samples.near.masks import Masks, lowest, numbers_in
from iacfilter_hpc.samples.near.region import Region
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, slots=True)
class DataFile:
    """Data file: its samples, and the name it has for a person."""

    name: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a sample: `data` is the file's index, `row` its line there, from 1."""

    data: int
    row: int
    sample: Sample


Pair = tuple[Place, Place]
EXAMPLES = 3
"""Pairs shown of a leak that has more."""


def _in_order(one: Place, other: Place) -> Pair:
    return (one, other) if one.data < other.data else (other, one)


@dataclass(frozen=True, slots=True)
class NearCopies:
    """Contexts of a region, by number, that are near to one of another file; `places` by bit.

    `examples` are some pairs across files.
    """

    region: Region
    contexts: tuple[int, ...]
    places: tuple[Place, ...]
    examples: list[Pair]

    def each_pair(self) -> Iterator[Pair]:
        """Every two places of near contexts, each pair once."""
        for number in self.contexts:
            own = self.region.own[number]
            # of two contexts the earlier one names the pair
            later = self.region.near(number) >> own.stop
            for bit in own:
                for other in numbers_in(later):
                    yield self.places[bit], self.places[own.stop + other]


@dataclass(frozen=True, slots=True)
class Leak:
    """Samples of different files that are tied; `pairs` counts those of two different files.

    Where `near` is None, any two of different files are a pair.
    """

    kind: Kind
    what: str
    places: tuple[Place, ...]
    pairs: int
    near: NearCopies | None = None

    def each_pair(self) -> Iterator[Pair]:
        """Every pair of samples of two different files, the earlier file's first."""
        if self.near is None:
            yield from self._any_two()
        else:
            for one, other in self.near.each_pair():
                if one.data != other.data:
                    yield _in_order(one, other)

    def examples(self) -> list[Pair]:
        """Some of the pairs."""
        return list(islice(self._any_two(), EXAMPLES)) if self.near is None else self.near.examples

    def _any_two(self) -> Iterator[Pair]:
        for one in self.places:
            # the places stand in the files' order: those of later files begin behind all of its own
            later = bisect_right(self.places, one.data, key=lambda place: place.data)
            for number in range(later, len(self.places)):
                yield one, self.places[number]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Repeat: what one file holds more than once; `surplus` counts what is beyond the first."""

    places: tuple[Place, ...]
    surplus: int
    contradictory: bool
    """Whether the same line of the same smell has both labels."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """All repetitions of one kind in one file, those with both labels first."""

    data: int
    kind: Kind
    each: tuple[Repeat, ...]

    @property
    def surplus(self) -> int:
        """The samples beyond the first of each."""
        return sum(repeat.surplus for repeat in self.each)

    @property
    def contradictions(self) -> int:
        """Those with both labels."""
        return sum(repeat.contradictory for repeat in self.each)


Held = dict[tuple[int, Kind], list[tuple[Place, ...]]]
"""Places of one file that are tied, by the file and the kind."""


def find_leaks(files: Sequence[DataFile]) -> tuple[list[Leak], list[Repeats]]:
    """Ties between the files, and repetitions inside each."""
    places = [
        Place(number, row, sample)
        for number, file in enumerate(files)
        for row, sample in enumerate(file.samples, start=1)
    ]
    samples = [place.sample for place in places]
    # all files at once: what three of them share is one leak, not one for each two
    leaks: list[Leak] = []
    held: Held = defaultdict(list)
    for kind in KINDS:
        if kind == "near-context":
            leaks += _near(near_regions(samples), places, held)
        else:
            leaks += _equal(kind, places, held)
    repeats = [
        Repeats(number, kind, tuple(_repeats(kind, held[number, kind])))
        for number in range(len(files))
        # samples of one file, repository or family belong together in a file
        for kind in CODE
    ]
    return leaks, [each for each in repeats if each.each]


def _equal(kind: Kind, places: Sequence[Place], held: Held) -> Iterator[Leak]:
    for tie in find_ties([place.sample for place in places], [kind]):
        tied = tuple(places[index] for index in tie.members)
        inside: dict[int, list[Place]] = {}
        for place in tied:
            inside.setdefault(place.data, []).append(place)
        for data, some in inside.items():
            held[data, kind].append(tuple(some))
        # counted, not listed: a line that all files hold has as many pairs as samples squared
        ordered = len(tied) ** 2 - sum(len(some) ** 2 for some in inside.values())
        if ordered:
            yield Leak(kind, tie.what, tied, ordered // 2)


def _near(regions: Sequence[Region], places: Sequence[Place], held: Held) -> list[Leak]:
    leaks: list[Leak] = []
    inside: list[tuple[Place, ...]] = []
    for region in regions:
        tally = _NearTally(region, tuple(places[index] for index in region.samples))
        leaks += tally.leaks()
        inside += tally.inside()
    for some in sorted(inside, key=lambda some: some[0].row):
        held[some[0].data, "near-context"].append(some)
    # what else a region holds depends on Python's hash seed; its clusters do not
    return sorted(leaks, key=lambda leak: _order(leak.places[0]))


def _order(place: Place) -> tuple[int, int]:
    return place.data, place.row


class _NearTally:
    """Tally of a region's near contexts: pairs of samples of different files, and clusters."""

    def __init__(self, region: Region, places: tuple[Place, ...]) -> None:
        self.region, self.places = region, places
        self.pairs: dict[int, int] = {}
        self.example: dict[int, tuple[int, int]] = {}
        self._together, self._inside = Clusters(region.width), Clusters(region.width)
        self._of_data = Masks(region.width)
        for bit, place in enumerate(places):
            self._of_data.add(place.data, [bit])
        for number in range(len(region.contexts)):
            if near := region.near(number):
                self._count(number, near)

    def _count(self, number: int, near: int) -> None:
        own, bits = self.region.own_mask(number), self.region.own[number]
        self._together.join(bits.start, near | own)
        pairs = 0
        for data, count in Counter(self.places[bit].data for bit in bits).items():
            same = self._of_data[data]
            if across := near & ~same:
                pairs += count * across.bit_count()
                one, other = lowest(own & same), lowest(across)
                self.example[number] = min(one, other), max(one, other)
            if near & same:
                self._inside.join(lowest(own & same), (near | own) & same)
        if pairs:
            self.pairs[number] = pairs

    def leaks(self) -> Iterator[Leak]:
        """Leak of each cluster of two files or more: the contexts that are near across files."""
        number_of = [number for number, bits in enumerate(self.region.own) for _ in bits]
        for cluster in self._together.found():
            numbers = dict.fromkeys(number_of[bit] for bit in cluster)
            crossing = tuple(number for number in numbers if number in self.pairs)
            if not crossing:
                continue
            bits = [bit for number in crossing for bit in self.region.own[number]]
            shared = tuple(sorted((self.places[bit] for bit in bits), key=_order))
            # each pair was counted from both of its ends
            pairs = sum(self.pairs[number] for number in crossing) // 2
            # a pair may be the example of both of its contexts
            examples = dict.fromkeys(self.example[number] for number in crossing)
            some = [
                _in_order(self.places[one], self.places[other])
                for one, other in islice(examples, EXAMPLES)
            ]
            copies = NearCopies(self.region, crossing, self.places, some)
            yield Leak("near-context", shared[0].sample.content, shared, pairs, copies)

    def inside(self) -> Iterator[tuple[Place, ...]]:
        """Places of one file that are near to each other, a cluster each."""
        for cluster in self._inside.found():
            yield tuple(sorted((self.places[bit] for bit in cluster), key=_order))


def _repeats(kind: Kind, held: Sequence[tuple[Place, ...]]) -> list[Repeat]:
    found = []
    for inside in held:
        samples = [place.sample for place in inside]
        # one line that is reported for two smells is no repetition
        lines = {(same_repo(s.repo), same_file(s.file), s.line, s.content) for s in samples}
        if len(samples) < 2 or (kind != "content" and len(lines) < 2):
            continue
        # one context may hold a real finding and a false alarm, of different lines
        both = kind == "content" and {"TP", "FP"} <= {sample.label for sample in samples}
        found.append(Repeat(inside, len(samples if kind == "content" else lines) - 1, both))
    return sorted(found, key=lambda repeat: not repeat.contradictory)
