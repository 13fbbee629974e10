"""Batch sampler: which samples each optimizer step sees, and which a process computes at once.

An item of the training data loader is all that one process does in an optimizer step: a list of
micro-batches, not one. How many there are depends on the samples (as few as the token budget
allows), while the Trainer wants the same number of batches in every step; so it is told that a step
is one batch, and DecisionTrainer.training_step accumulates inside it.

All of it follows from seed, epoch, number of processes and the samples' tokens: the global random
state is neither read nor changed, so that a run goes on exactly where it was.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

import torch
from torch.utils.data import Sampler

from iacfilter_hpc.config.batch_sizes import MOST_REPEATED
from iacfilter_hpc.packing.prefixes import shared_length

Micro = tuple[int, ...]
"""Samples that a process computes at once, by index; `~i` is sample i with no part in the loss."""

RowLayout = Literal["tree", "flat", "padded"]

TOKEN = 4
"""Bytes of a token in a key."""


def key_of(ids: Sequence[int]) -> bytes:
    """Tokens as bytes that compare as the tokens do: much smaller and faster than a list."""
    key = array("I", ids)
    # most significant byte first, as bytes compare from the left; x86 and ARM store it last
    key.byteswap()
    return key.tobytes()


@dataclass(frozen=True, slots=True)
class Grouping:
    """Grouping: how the samples of a step are put together.

    A step has `step` samples over all `processes`, drawn at random; only then are they grouped.
    What is computed at once has at most `budget` tokens, or as many as the step's longest sample.
    In a `tree` a prefix of several samples counts once (see MOST_REPEATED), and where they are
    `padded` each counts as much as the longest beside it.

    Drawn first, grouped then: steps whose samples are chosen to be alike would bias the gradients.
    """

    step: int
    processes: int
    budget: int
    layout: RowLayout


class StepSampler(Sampler[list[Micro]]):
    """For each optimizer step, the micro-batches of one process; every process gets as many."""

    def __init__(self, keys: Sequence[bytes], grouping: Grouping, seed: int, rank: int) -> None:
        """`keys` are the samples' tokens by `key_of`."""
        self._keys = keys
        self._grouping = grouping
        self._seed = seed
        self._rank = rank
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Optimizer steps of an epoch."""
        return -(-len(self._keys) // self._grouping.step)

    def __iter__(self) -> Iterator[list[Micro]]:
        processes = self._grouping.processes
        # every process groups the whole step and takes its share: they agree without a message
        for drawn in draw(len(self._keys), self._grouping.step, self._seed, self._epoch):
            yield group(drawn, self._keys, self._grouping)[self._rank :: processes]


def draw(count: int, step: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """The samples of each optimizer step of an epoch, each sample once; the last may have fewer."""
    # an odd multiplier keeps (seed, epoch) pairs apart modulo 2**63: by seed + epoch alone, epoch 1
    # of seed 42 would have the order of epoch 0 of seed 43
    mixed = (seed * 0x9E3779B97F4A7C15 + epoch) % 2**63
    order = torch.randperm(count, generator=torch.Generator().manual_seed(mixed)).tolist()
    for start in range(0, count, step):
        yield order[start : start + step]


def group(drawn: Sequence[int], keys: Sequence[bytes], grouping: Grouping) -> list[Micro]:
    """The samples of a step in micro-batches, a multiple of the processes, alike in tokens.

    Neighbours in the order of `_Row` share most: each micro-batch is a stretch of them. The largest
    come first: too much memory shows at once, and processes that work side by side have as much to
    do. Where there are fewer samples than processes, the rest compute one that does not count.
    """
    row = _Row.of(drawn, keys, grouping.layout)
    fewest = len(row.cut(grouping.budget))
    # DeepSpeed and gloo wait for every process at each backward pass: all make as many
    wanted = -(-fewest // grouping.processes) * grouping.processes
    stretches = _balanced(row, min(wanted, len(row.samples)))
    stretches.sort(key=lambda stretch: (-row.cost(*stretch), stretch))
    micros = [tuple(row.samples[first:last]) for first, last in stretches]
    # the shortest: it is computed for company alone
    shortest = min(drawn, key=lambda i: len(keys[i]))
    return micros + [(~shortest,)] * (wanted - len(micros))


@dataclass(frozen=True, slots=True)
class Sharing:
    """Tokens of an epoch: of all samples, of their prefix tree, and computed in its steps."""

    tokens: int
    tree: int
    computed: int

    def describe(self) -> str:
        """One line for the log."""
        return (
            f"{self.tokens:,} tokens an epoch, {self.computed:,} computed "
            f"({self.tokens / self.computed:.2f}x; all samples in one tree: "
            f"{self.tokens / self.tree:.2f}x)"
        )


def sharing(keys: Sequence[bytes], grouping: Grouping, seed: int) -> Sharing:
    """What the first epoch saves by sharing prefixes."""
    whole = _Row.of(range(len(keys)), keys, grouping.layout)
    computed = 0
    for drawn in draw(len(keys), grouping.step, seed, 0):
        for micro in group(drawn, keys, grouping):
            row = _Row.of([max(i, ~i) for i in micro], keys, grouping.layout)
            computed += row.size(0, len(micro))
    return Sharing(sum(whole.alone), whole.size(0, len(keys)), computed)


@dataclass(frozen=True, slots=True)
class _Row:
    """Samples in order, with sums of tokens over those before each.

    `alone` are a sample's own; `whole` the sums of these; `fresh` the sums of what a sample adds to
    the one before it.
    """

    samples: list[int]
    alone: list[int]
    whole: list[int]
    fresh: list[int]
    layout: RowLayout

    @classmethod
    def of(cls, drawn: Sequence[int], keys: Sequence[bytes], layout: RowLayout) -> _Row:
        is_tree = layout == "tree"
        # by tokens, what begins alike is side by side; by length, what pads least is
        samples = sorted(drawn, key=lambda i: (keys[i] if is_tree else len(keys[i]), i))
        alone = [len(keys[i]) // TOKEN for i in samples]
        shared = [0] * len(samples)
        if is_tree:
            for i, (one, other) in enumerate(pairwise(samples), start=1):
                shared[i] = shared_length(keys[one], keys[other]) // TOKEN
        added = (own - common for own, common in zip(alone, shared, strict=True))
        return cls(samples, alone, [0, *accumulate(alone)], [0, *accumulate(added)], layout)

    def size(self, first: int, last: int) -> int:
        """Tokens computed for samples [first, last)."""
        if self.layout == "padded":  # the last is the longest
            return (last - first) * self.alone[last - 1]
        return self.alone[first] + self.fresh[last] - self.fresh[first + 1]

    def cost(self, first: int, last: int) -> int:
        """The size, or what attention makes of it by repeating shared beginnings."""
        whole = self.whole[last] - self.whole[first]
        return max(self.size(first, last), -(-whole // MOST_REPEATED))

    def cut(self, budget: int) -> list[tuple[int, int]]:
        """Stretches [first, last) that cost at most `budget`, as few as can be.

        A sample that costs more stands alone: it must be computed all the same.
        """
        # greedy is as few as can be, as a part of a stretch never costs more than the stretch
        stretches, first = [], 0
        for i in range(1, len(self.samples)):
            if self.cost(first, i + 1) > budget:
                stretches.append((first, i))
                first = i
        return [*stretches, (first, len(self.samples))]


def _balanced(row: _Row, count: int) -> list[tuple[int, int]]:
    """`count` stretches, the largest of them as small as can be."""
    # the smallest budget of which `cut` makes no more than `count`: a larger one never makes more
    low, high = max(row.alone), row.cost(0, len(row.samples))
    while low < high:
        middle = (low + high) // 2
        if len(row.cut(middle)) > count:
            low = middle + 1
        else:
            high = middle
    stretches = row.cut(low)
    # it may make fewer, while each process needs one to keep the others company in collectives
    while len(stretches) < count:
        longest = max(stretches, key=lambda s: (s[1] - s[0] > 1, row.cost(*s)))
        stretches.remove(longest)
        first, last = longest
        stretches += [(first, (first + last) // 2), ((first + last) // 2, last)]
    return stretches
