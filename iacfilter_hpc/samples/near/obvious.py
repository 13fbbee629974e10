"""Obvious form of what this room computes: pair by pair. Tests hold the fast form to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from fractions import Fraction
from math import ceil

Shingles = Set[tuple[str, ...]]


def similar_pairs(sets: Sequence[Shingles], least: Fraction) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of sets that are not empty and whose Jaccard index is >= `least`.

    Exact. Two such sets share one of the rarest elements of each, and an index of those finds the
    pairs: Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins", ICDE 2006.
    """
    frequency = Counter(element for each in sets for element in each)
    index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, each in enumerate(sets):
        rare = sorted(each, key=lambda element: (frequency[element], element))
        prefix = rare[: len(each) - ceil(least * len(each)) + 1]
        candidates = {other for element in prefix for other in index[element]}
        # sorted, as the order of a set of numbers is nobody's promise
        for other in sorted(candidates):
            shared = len(each & sets[other])
            if shared >= least * (len(each) + len(sets[other]) - shared):
                yield other, number
        # only now, so that none is a candidate for itself, and each pair is found once
        for element in prefix:
            index[element].append(number)
