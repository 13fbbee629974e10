"""Prefix cache: prompts scored by what they begin with, a prefix of many passing the model once.

A batch's tree shares within the batch alone. Here a beginning's keys and values are kept for all
prompts of a file that have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache

from iacfilter_hpc.packing.attention import segments_of
from iacfilter_hpc.packing.collators import tree_tensors
from iacfilter_hpc.packing.prefixes import Ids, Tree, branches, grow, shared_length

LEAST_CACHED = 32
"""Tokens of a prefix that is worth a forward pass of its own."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """Beginning: keys and values of the first `length` tokens of some prompts, layer by layer."""

    length: int
    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    def cache(self) -> DynamicCache | None:
        """A cache that holds them and may grow: what is added leaves these as they are."""
        if not self.length:
            return None
        # update concatenates, so these tensors are shared by all that goes on from here, unchanged
        made = DynamicCache()
        for i, (keys, values) in enumerate(self.layers):
            made.update(keys, values, i)
        return made


class _Sorted:
    """Sorted prompts, each once, and how many tokens their prefix trees have."""

    def __init__(self, prompts: Sequence[Ids]) -> None:
        self.ids = sorted(set(prompts))
        fresh = (len(ids) - shared_length(before, ids) for before, ids in pairwise(self.ids))
        self._until = [0, *accumulate(fresh)]

    def size(self, first: int, last: int, begun: int) -> int:
        """Tokens of the tree of prompts [first, last) beyond the first `begun`."""
        # the first one whole, then what each adds to the one before it
        return len(self.ids[first]) - begun + self._until[last - 1] - self._until[first]


@dataclass(frozen=True, slots=True)
class PromptScorer:
    """Prompt scorer: a causal model set to attention by segments, `tokens` whose logits matter.

    At most `budget` tokens are computed at once, and a prompt at least.
    """

    model: nn.Module
    tokens: tuple[int, ...]
    budget: int

    def score(self, prompts: Sequence[Ids]) -> Iterator[tuple[Ids, torch.Tensor]]:
        """Each distinct prompt with the logits of `tokens` after it, shape [tokens]; sorted.

        To be called without gradients: they would keep every pass's activations.
        """
        # a stack, depth first: a beginning's cache is freed once its last prompt is done
        rows = _Sorted(prompts)
        todo = [(_Begun(0, ()), 0, len(rows.ids))] if rows.ids else []
        while todo:
            begun, first, last = todo.pop()
            if last - first == 1 or rows.size(first, last, begun.length) <= self.budget:
                yield from self._at_once(begun, rows.ids[first:last])
            else:
                # reversed, for the first to come off first
                todo += reversed(self._divided(rows, begun, first, last))

    def _divided(
        self, rows: _Sorted, begun: _Begun, first: int, last: int
    ) -> list[tuple[_Begun, int, int]]:
        """Prompts that are too many at once: from a longer beginning, or in stretches."""
        common = shared_length(rows.ids[first], rows.ids[last - 1])
        # a prompt that ends there still needs its last token computed, for the logits after it
        worth = min(common, len(rows.ids[first]) - 1)
        if worth - begun.length >= LEAST_CACHED:
            return [(self._further(begun, rows.ids[first][:worth]), first, last)]
        stretches, start = [], first
        for one, other in branches(rows.ids[first:last], common):
            if first + one > start and rows.size(start, first + other, begun.length) > self.budget:
                stretches.append((begun, start, first + one))
                start = first + one
        return [*stretches, (begun, start, last)]

    def _at_once(self, begun: _Begun, prompts: Sequence[Ids]) -> Iterator[tuple[Ids, torch.Tensor]]:
        tree = grow([ids[begun.length :] for ids in prompts])
        last = [tree.place(i, len(ids) - begun.length - 1) for i, ids in enumerate(prompts)]
        logits, _ = self._pass(begun, tree, last)
        yield from zip(prompts, logits[:, list(self.tokens)], strict=True)

    def _further(self, begun: _Begun, ids: Ids) -> _Begun:
        """What a longer beginning has computed; the shorter one stays for its other branches."""
        # logits at one place alone: a beginning's are of no use
        tree = grow([ids[begun.length :]])
        _, cache = self._pass(begun, tree, [tree.size - 1])
        assert cache is not None, "it was asked for"
        layers: list[Any] = cache.layers  # of a DynamicCache each has keys and values
        return _Begun(len(ids), tuple((layer.keys, layer.values) for layer in layers))

    def _pass(
        self, begun: _Begun, tree: Tree, kept: Sequence[int]
    ) -> tuple[torch.Tensor, DynamicCache | None]:
        """Logits [kept, vocabulary] of a row that goes on from `begun`, and the cache after it."""
        tensors, device = tree_tensors(tree), next(self.model.parameters()).device
        found = self.model(
            input_ids=tensors["input_ids"].to(device),
            # a tree counts from its own root
            position_ids=tensors["position_ids"].to(device) + begun.length,
            logits_to_keep=torch.tensor(kept, device=device),
            past_key_values=begun.cache(),
            use_cache=True,
            segments=segments_of(tree),
        )
        return found.logits[0], found.past_key_values
