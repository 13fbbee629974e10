"""Score prompts by what they begin with: a prefix of many passes the model once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from transformers import DynamicCache

from iacfilter_hpc.training.attention import Form, attention_inputs
from iacfilter_hpc.training.packing import tree_tensors
from iacfilter_hpc.training.prefixes import Ids, branches, grow, shared_length

LEAST_CACHED = 32
"""Tokens of a prefix that is worth a forward pass of its own."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """Keys and values of the first `length` tokens of some prompts."""

    length: int
    cache: DynamicCache


@dataclass(frozen=True, slots=True)
class PromptScorer:
    """A causal model with its `form` of attention, and the `tokens` whose logits matter.

    At most `budget` tokens are computed at once, and a prompt at least.
    """

    model: nn.Module
    form: Form
    tokens: tuple[int, ...]
    budget: int

    def score(self, prompts: Sequence[Ids]) -> Iterator[tuple[Ids, torch.Tensor]]:
        """Each distinct prompt with the logits of `tokens` after it, shape [tokens].

        To be called without gradients: caches are copied where prompts branch.
        """
        if prompts:
            yield from self._below(_Begun(0, DynamicCache()), sorted(set(prompts)))

    def _below(self, begun: _Begun, prompts: Sequence[Ids]) -> Iterator[tuple[Ids, torch.Tensor]]:
        """Sorted prompts, all of which go on from `begun`."""
        if len(prompts) == 1 or _size(prompts, begun.length) <= self.budget:
            yield from self._at_once(begun, prompts)
            return
        common = shared_length(prompts[0], prompts[-1])
        # a prompt that ends there still needs its last token computed, for the logits after it
        worth = min(common, len(prompts[0]) - 1)
        if worth - begun.length >= LEAST_CACHED:
            yield from self._below(self._further(begun, prompts[0][:worth]), prompts)
            return
        first = 0
        for start, stop in branches(prompts, common):
            if start > first and _size(prompts[first:stop], begun.length) > self.budget:
                yield from self._below(begun, prompts[first:start])
                first = start
        yield from self._below(begun, prompts[first:])

    def _at_once(self, begun: _Begun, prompts: Sequence[Ids]) -> Iterator[tuple[Ids, torch.Tensor]]:
        tree = grow([ids[begun.length :] for ids in prompts])
        last = [tree.place(i, len(ids) - begun.length - 1) for i, ids in enumerate(prompts)]
        tensors = tree_tensors(tree)
        device = next(self.model.parameters()).device
        logits = self.model(
            input_ids=tensors["input_ids"].to(device),
            position_ids=tensors["position_ids"].to(device) + begun.length,
            logits_to_keep=torch.tensor(last, device=device),
            past_key_values=begun.cache,
            use_cache=True,
            **attention_inputs(self.form, tree, begun.length, device),
        ).logits[0]
        begun.cache.crop(-tree.size)
        yield from zip(prompts, logits[:, list(self.tokens)], strict=True)

    def _further(self, begun: _Begun, ids: Ids) -> _Begun:
        """The cache of a longer beginning; the shorter one stays for its other branches."""
        further = _Begun(len(ids), deepcopy(begun.cache))
        tree = grow([ids[begun.length :]])
        tensors = tree_tensors(tree)
        device = next(self.model.parameters()).device
        self.model(
            input_ids=tensors["input_ids"].to(device),
            position_ids=tensors["position_ids"].to(device) + begun.length,
            logits_to_keep=1,
            past_key_values=further.cache,
            use_cache=True,
            **attention_inputs(self.form, tree, begun.length, device),
        )
        return further


def _size(prompts: Sequence[Ids], begun: int) -> int:
    """Tokens of the prefix tree of sorted prompts beyond the first `begun`."""
    fresh = (len(ids) - shared_length(before, ids) for before, ids in pairwise(prompts))
    return len(prompts[0]) - begun + sum(fresh)
