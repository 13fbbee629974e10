"""iacfilter_hpc.samples.near.masks and clusters: sets of numbers as bits, against sets."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iacfilter_hpc.samples.near.clusters import Clusters
from iacfilter_hpc.samples.near.forest import Forest
from iacfilter_hpc.samples.near.masks import (
    Masks,
    at_least,
    count_bits,
    lowest,
    mask_of,
    numbers_in,
)

WIDTH = 200
NUMBERS = st.sets(st.integers(0, WIDTH - 1), max_size=WIDTH)


@settings(deadline=None, max_examples=100, database=None)
@given(numbers=NUMBERS)
def test_a_mask_holds_its_numbers(numbers: set[int]) -> None:
    mask = mask_of(list(numbers), WIDTH)
    assert list(numbers_in(mask)) == sorted(numbers)
    assert not numbers or lowest(mask) == min(numbers)


@settings(deadline=None, max_examples=100, database=None)
@given(sets=st.lists(NUMBERS, max_size=40), least=st.integers(1, 50), among=NUMBERS)
def test_bits_are_counted(sets: list[set[int]], least: int, among: set[int]) -> None:
    counts = Counter(number for each in sets for number in each)
    digits = count_bits([mask_of(list(each), WIDTH) for each in sets])
    found = at_least(digits, least, mask_of(list(among), WIDTH))
    assert set(numbers_in(found)) == {n for n in among if counts[n] >= least}


@pytest.mark.parametrize("width", [100, 10_000])
def test_masks_of_few_bits_are_not_kept(width: int) -> None:
    masks = Masks(width)
    masks.add("few", [3, 5])
    masks.add("few", [7])
    assert masks.count("few") == 3
    assert [list(numbers_in(masks["few"])) for _ in range(2)] == [[3, 5, 7]] * 2
    assert ("few" in masks._kept) is (width == 100)


JOINS = st.lists(
    st.tuples(st.integers(0, WIDTH - 1), st.sets(st.integers(0, WIDTH - 1), max_size=5)),
    max_size=60,
)


@settings(deadline=None, max_examples=100, database=None)
@given(joins=JOINS)
def test_clusters_are_those_of_single_joins(joins: list[tuple[int, set[int]]]) -> None:
    # wide, so that the masks of small clusters are made, and those of large ones kept
    clusters, forest = Clusters(20 * WIDTH), Forest(WIDTH)
    for number, others in joins:
        clusters.join(number, mask_of(list(others), WIDTH))
        for other in others:
            forest.join(number, other)
    assert clusters.found() == [group for group in forest.groups() if len(group) > 1]
