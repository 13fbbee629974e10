"""Prefix tree of token sequences: what several of them begin with stands in it once.

A causal model computes the same for a beginning whatever follows, so that computing it once is
exact. Prefix Grouper does so in reinforcement learning: arXiv 2506.05433.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEAST = 8
"""Tokens that sharing must save: a node of its own costs about as much as these."""

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """Node: tokens that the sequences below have in common beyond those of `path`.

    `path` are the nodes above, root first, as indices into the tree. Nodes stand depth first in a
    row: this one's tokens at [start, start + len(ids)), all below it before `stop`. `depth` tokens
    come before it on its path.
    """

    ids: Ids
    path: tuple[int, ...]
    depth: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Tree:
    """Tree of sequences; a forest, in fact, as they may have nothing in common.

    `ends` is the node that each sequence ends with, in the order they were given.
    """

    nodes: tuple[Node, ...]
    ends: tuple[int, ...]

    @property
    def size(self) -> int:
        """Tokens of the row."""
        return self.nodes[-1].stop

    def place(self, sequence: int, depth: int) -> int:
        """Where in the row the token stands that has `depth` tokens before it in a sequence."""
        node = self.nodes[self.ends[sequence]]
        above = len(node.path)
        while depth < node.depth:
            above -= 1
            node = self.nodes[self.nodes[self.ends[sequence]].path[above]]
        return node.start + depth - node.depth


def grow(sequences: Sequence[Ids], least: int = LEAST) -> Tree:
    """The prefix tree of sequences, none of them empty; equal ones end with the same node.

    A prefix that would save less than `least` tokens is not shared.
    """
    distinct = sorted(set(sequences))
    made: list[_Draft] = []
    end_of: dict[Ids, int] = {}
    # a stack, not recursion: prompts that branch at every token go deeper than Python does
    todo = [_Range(0, len(distinct), (), 0)]
    while todo:
        here = todo.pop()
        count = here.last - here.first
        common = shared_length(distinct[here.first], distinct[here.last - 1])
        groups = [
            (here.first + first, here.first + last)
            for first, last in branches(distinct[here.first : here.last], common)
        ]
        # each group but one is spared the tokens; a sequence by itself is a node however short
        if count > 1 and (common - here.depth) * (len(groups) - 1) < least:
            todo += [_Range(*group, here.path, here.depth) for group in reversed(groups)]
            continue
        node = len(made)
        made.append(_Draft(distinct[here.first][here.depth : common], here.path, here.depth))
        # reversed, so that the stack gives them in order: nodes stand depth first
        for first, last in reversed(groups):
            if len(distinct[first]) == common:  # the first of its range, and alone
                end_of[distinct[first]] = node
            else:
                todo.append(_Range(first, last, (*here.path, node), common))
    return Tree(tuple(_placed(made)), tuple(end_of[ids] for ids in sequences))


@dataclass(frozen=True, slots=True)
class _Range:
    """Sorted sequences [first, last) that share `depth` tokens, which the nodes of `path` hold."""

    first: int
    last: int
    path: tuple[int, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class _Draft:
    ids: Ids
    path: tuple[int, ...]
    depth: int


def branches(distinct: Sequence[Ids], common: int) -> Iterator[tuple[int, int]]:
    """Ranges [first, last) of sorted sequences that go on alike after `common` tokens.

    One that ends there is alone.
    """
    first = 0
    for i, ids in enumerate(distinct):
        last = i + 1
        if last == len(distinct) or len(ids) == common or distinct[last][common] != ids[common]:
            yield first, last
            first = last


def _placed(drafts: Sequence[_Draft]) -> Iterator[Node]:
    starts = [0]
    for draft in drafts:
        starts.append(starts[-1] + len(draft.ids))
    stops = starts[1:]
    for i in reversed(range(len(drafts))):
        for above in drafts[i].path:
            stops[above] = max(stops[above], stops[i])
    for draft, start, stop in zip(drafts, starts, stops, strict=False):
        yield Node(draft.ids, draft.path, draft.depth, start, stop)


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many items two sequences begin with alike; also of bytes, which compare faster."""
    low, high = 0, min(len(one), len(other))
    # halving, as comparing slices in C is far faster than tokens one by one
    while low < high:  # alike up to `low`, and nothing beyond `high` asked
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
