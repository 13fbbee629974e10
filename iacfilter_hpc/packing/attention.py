"""Attention over a row of packed sequences, each token seeing only its own sequence.

`segments`, for prefix trees of causal models: PyTorch's attention a node of the tree at a time,
over its path and itself. The tests compare it with one mask of all pairs of tokens, which is
obvious and slow: its work grows with the square of the row, most of it on pairs that do not see
each other.
`blocks`, for models that look both ways: PyTorch's attention over the padded batch that the row was
made from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.packing.prefixes import Tree


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks: where each token of a padded batch stands in a packed row, and back.

    `gather` and `inside` are [rows, longest], `back` is [tokens]: see FlatCollator.
    """

    gather: torch.Tensor
    inside: torch.Tensor
    back: torch.Tensor


def block_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    scaling: float | None = None,
    dropout: float = 0.0,
    blocks: Blocks | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function, each sequence of one packed row within itself.

    [1, heads, tokens, d] -> [1, tokens, heads, d], as transformers' attention functions do. Only
    here is anything padded: the rest of the model, nearly all of its work, sees no padding.

    Source: https://huggingface.co/docs/transformers/attention_interface
    """
    assert blocks is not None, "the model was called without its blocks"
    rows, longest = blocks.gather.shape
    queries, keys, values = (
        # index_select: the gradient of an index by lists is summed one by one on CPUs
        x[0].index_select(1, blocks.gather.flatten()).view(x.shape[1], rows, longest, -1)
        for x in (query, key, value)
    )
    found = scaled_dot_product_attention(
        queries.transpose(0, 1),
        keys.transpose(0, 1),
        values.transpose(0, 1),
        attn_mask=blocks.inside[:, None, None, :],
        dropout_p=dropout,
        scale=scaling,
    )
    return found.transpose(1, 2).flatten(0, 1).index_select(0, blocks.back)[None], None


PackedAttention = Literal["segments", "blocks"]

IMPLEMENTATION: dict[PackedAttention, str] = {
    "segments": "iacfilter_segments",
    "blocks": "iacfilter_blocks",
}
"""What transformers calls each of them, once they are registered."""


UNSUPPORTED = {"softcap", "s_aux", "position_bias", "sliding_window"}
"""What models may ask of attention besides, and attention by segments would leave out."""


@dataclass(slots=True)
class Segments:
    """Segments: a tree as the attention of one forward pass needs it, with the masks made so far.

    For each node, in the row's order, `lengths` has its tokens, `paths` the nodes above it.
    """

    lengths: list[int]
    paths: list[tuple[int, ...]]
    masks: dict[tuple[int, int, torch.dtype], torch.Tensor] = field(default_factory=dict)

    def mask(self, own: int, seen: int, like: torch.Tensor) -> torch.Tensor:
        """Zero where one of `own` last tokens of `seen` sees a token, else -inf: [own, seen]."""
        key = (own, seen, like.dtype)
        # every layer attends alike: made once a forward pass, not once a layer
        if key not in self.masks:
            hidden = torch.full((own, seen), -torch.inf, dtype=like.dtype, device=like.device)
            self.masks[key] = hidden.triu(seen - own + 1)
        return self.masks[key]


def segments_of(tree: Tree) -> Segments:
    """Segments of a tree: what the model's forward gets besides ids and positions."""
    return Segments([len(node.ids) for node in tree.nodes], [node.path for node in tree.nodes])


def segment_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    scaling: float | None = None,
    dropout: float = 0.0,
    segments: Segments | None = None,
    **more: object,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function over one row, which sees a tree's paths.

    [1, heads, tokens, d] -> [1, tokens, heads, d]. Keys and values may begin with a cache, which
    every token sees.

    Raises:
        TrainingError: the model asks for something of `UNSUPPORTED`.
    """
    assert segments is not None, "the model was called without its tree"
    if asked := sorted(UNSUPPORTED & {name for name, value in more.items() if value is not None}):
        raise TrainingError(
            f"{type(module).__name__} attends with {', '.join(asked)}, which packed rows do not",
            hint="packing.attention=padded",
        )
    # once for the row: in each node's call a token that many see would be repeated many times
    key, value = (repeat_kv(x, query.shape[1] // x.shape[1]) for x in (key, value))
    past = key.shape[2] - query.shape[2]
    # split, not slices: the gradient of each slice would be as large as the whole row
    queries = torch.split(query, segments.lengths, dim=2)
    first_keys, *keys = torch.split(key, [past, *segments.lengths], dim=2)
    first_values, *values = torch.split(value, [past, *segments.lengths], dim=2)
    found = []
    # one call a node: one for all of them would compute every pair of tokens, most of them masked
    for i, path in enumerate(segments.paths):
        seen_keys, seen_values = keys[i], values[i]
        # a root without a cache sees itself alone: nothing to copy
        if path or past:
            seen_keys = torch.cat([first_keys, *(keys[j] for j in path), keys[i]], dim=2)
            seen_values = torch.cat([first_values, *(values[j] for j in path), values[i]], dim=2)
        own, seen = queries[i].shape[2], seen_keys.shape[2]
        # a lone token sees all there is, and a root is plainly causal: neither needs a mask, with
        # which PyTorch could not take its fastest kernels
        found.append(
            scaled_dot_product_attention(
                queries[i],
                seen_keys,
                seen_values,
                attn_mask=None if own in (1, seen) else segments.mask(own, seen, query),
                dropout_p=dropout,
                scale=scaling,
                is_causal=own == seen and own > 1,
            )
        )
    return torch.cat(found, dim=2).transpose(1, 2).contiguous(), None


def register() -> None:
    """Register both with transformers; a second call changes nothing."""
    functions: dict[PackedAttention, Any] = {
        "segments": segment_attention,
        "blocks": block_attention,
    }
    for packed, function in functions.items():
        AttentionInterface.register(IMPLEMENTATION[packed], function)
        # without one of its own transformers would build the mask of a causal model: [1, 1, n, n]
        AttentionMaskInterface.register(IMPLEMENTATION[packed], _no_mask)


def _no_mask(*_: object, **__: object) -> None:
    """The layout of the row says who sees whom."""
