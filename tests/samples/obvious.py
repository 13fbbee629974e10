"""Obvious forms of find_leaks and of split, pair by pair: what the fast ones are held to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from iacfilter_hpc.samples.duplicates import (
    CODE,
    KINDS,
    Kind,
    Tie,
    _file_key,
    find_ties,
)
from iacfilter_hpc.samples.hashes import QUOTES, normalised, same_file, same_repo
from iacfilter_hpc.samples.leakage import DataFile
from iacfilter_hpc.samples.near.forest import Forest
from iacfilter_hpc.samples.near.obvious import similar_pairs
from iacfilter_hpc.samples.near.region import NEAR
from iacfilter_hpc.samples.near.shingles import shingles_of
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.split import NAMES, By, LeftOut, LeftOutCause, Sizes, _Work

Pair = tuple[Kind, int, int]
"""A kind, and two samples by their places in all files."""


@dataclass(frozen=True)
class Tied:
    """Each of `left` is tied to each of `right`, which is `left` where the tie is an equality."""

    kind: Kind
    left: tuple[int, ...]
    right: tuple[int, ...]


def ties(samples: Sequence[Sample], kinds: Sequence[Kind]) -> Iterator[Tied]:
    """Ties of these kinds; a tie for each pair of near contexts."""
    for kind in kinds:
        if kind == "near-context":
            yield from near_ties(samples)
        else:
            yield from (Tied(kind, tie.members, tie.members) for tie in find_ties(samples, [kind]))


def near_ties(samples: Sequence[Sample]) -> Iterator[Tied]:
    """Ties between contexts that differ, but little, in different files."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        if text := normalised(sample.with_context):
            places[text].append(index)
    members = [tuple(indices) for indices in places.values()]
    key = _file_key(samples)
    files = [{key(samples[index]) for index in indices} for indices in members]
    texts = [samples[each[0]].with_context.casefold().translate(QUOTES) for each in members]
    for one, other in similar_pairs([shingles_of(text) for text in texts], Fraction(*NEAR)):
        if len(files[one] | files[other]) > 1:
            yield Tied("near-context", members[one], members[other])


@dataclass(frozen=True)
class Found:
    """Pairs across files; near-copies in each file by cluster, as places in all files."""

    pairs: Counter[Pair]
    inside: set[tuple[int, ...]]


def leaks(files: Sequence[DataFile]) -> Found:
    """What the files share, and near-copies inside each."""
    samples = [sample for file in files for sample in file.samples]
    data = [number for number, file in enumerate(files) for _ in file.samples]
    pairs: Counter[Pair] = Counter()
    inside = Forest(len(samples))
    for tie in ties(samples, KINDS):
        once = tie.left == tie.right
        for one in tie.left:
            for other in tie.right:
                if data[one] != data[other] and (one < other or not once):
                    pairs[tie.kind, min(one, other), max(one, other)] += 1
        if tie.kind == "near-context":
            for number in range(len(files)):
                left, right = ([i for i in s if data[i] == number] for s in (tie.left, tie.right))
                for index in (*left, *right) if left and right else ():
                    inside.join(left[0], index)
    clusters = {tuple(group) for group in inside.groups() if len(group) > 1}
    return Found(pairs, {each for each in clusters if len(_lines(samples, each)) > 1})


def _lines(samples: Sequence[Sample], places: Sequence[int]) -> set[tuple[object, ...]]:
    found = [samples[index] for index in places]
    return {(same_repo(s.repo), same_file(s.file), s.line, s.content) for s in found}


class ObviousWork(_Work):
    """A split's work that goes through all pairs to find what must leave."""

    def __init__(self, samples: Sequence[Sample], sizes: Sizes, by: By, seed: int) -> None:
        super().__init__(samples, sizes, by, seed)
        self.ties = list(ties(samples, CODE))
        near = [tie for tie in self.ties if tie.kind == "near-context"]
        self.near = [Tie(tie.kind, "", (*tie.left, *tie.right)) for tie in near]

    def _shared(self, parts: Sequence[Sequence[int]]) -> dict[int, LeftOut]:
        part_of = {index: number for number, part in enumerate(parts) for index in part}
        by_size = sorted(range(len(parts)), key=lambda part: -self.sizes.counts[part])
        rank = {part: number for number, part in enumerate(by_size)}
        dropped: dict[int, LeftOut] = {}

        def kept(side: Sequence[int]) -> list[int]:
            return [index for index in side if index in part_of and index not in dropped]

        for tie in self.ties:
            for side, others in ((tie.left, tie.right), (tie.right, tie.left)):
                largest = min((rank[part_of[other]] for other in kept(others)), default=len(parts))
                for index in kept(side):
                    if rank[part_of[index]] > largest:
                        larger = NAMES[by_size[largest]]
                        dropped[index] = LeftOut(index, LeftOutCause.SHARED, larger, tie.kind)
        return dropped
