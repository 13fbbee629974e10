"""The prefix tree holds every sequence whole, and what they begin with once."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iacfilter_hpc.packing.prefixes import Ids, Tree, grow, shared_length

pytestmark = pytest.mark.train

SEQUENCES = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), min_size=1, max_size=12
)


def walked(tree: Tree, sequence: int) -> Ids:
    """A sequence, token by token, from the places the tree names."""
    row = [token for node in tree.nodes for token in node.ids]
    last = tree.nodes[tree.ends[sequence]]
    return tuple(row[tree.place(sequence, depth)] for depth in range(last.depth + len(last.ids)))


def distinct_prefixes(sequences: list[Ids]) -> int:
    """The slow, obvious size of a prefix tree that shares everything."""
    return len({ids[:length] for ids in sequences for length in range(1, len(ids) + 1)})


@given(SEQUENCES, st.integers(1, 9))
def test_every_sequence_is_whole(sequences: list[Ids], least: int) -> None:
    tree = grow(sequences, least)
    assert [walked(tree, i) for i in range(len(sequences))] == sequences
    assert distinct_prefixes(sequences) <= tree.size <= sum(map(len, set(sequences)))


@given(SEQUENCES)
def test_everything_is_shared_where_a_token_is_worth_it(sequences: list[Ids]) -> None:
    assert grow(sequences, 1).size == distinct_prefixes(sequences)


@given(SEQUENCES, st.integers(1, 9))
def test_a_node_stands_before_all_that_is_below_it(sequences: list[Ids], least: int) -> None:
    nodes = grow(sequences, least).nodes
    for (i, node), (j, other) in product(enumerate(nodes), repeat=2):
        is_below = j == i or i in other.path
        assert is_below == (node.start <= other.start < node.stop)
    assert [node.start for node in nodes] == sorted(node.start for node in nodes)


def test_a_prefix_that_saves_little_is_not_shared() -> None:
    sequences = [(1, 2, 3, 4, 5), (1, 2, 3, 6, 7), (1, 2, 3, 8, 9)]
    # two of three need not compute three tokens
    assert len(grow(sequences, 6).nodes) == 4
    assert len(grow(sequences, 7).nodes) == 3


def test_a_long_chain_of_prefixes() -> None:
    """Each sequence begins the next, far deeper than Python would recurse."""
    sequences = [tuple(range(length)) for length in range(1, 3001)]
    tree = grow(sequences, 1)
    assert tree.size == 3000 and len(tree.nodes) == 3000


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_shared_length(one: list[int], other: list[int]) -> None:
    expected = 0
    while expected < min(len(one), len(other)) and one[expected] == other[expected]:
        expected += 1
    assert shared_length(one, other) == expected
    assert shared_length(bytes(one), bytes(other)) == expected
