"""Reference attention over a packed prefix tree: one mask of all pairs of tokens, obvious and slow.

The package attends a node of the tree at a time; its tests compare that with this. It is given the
same `Segments`, so a model set to it runs through the same collator and the same forward pass.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from iacfilter_hpc.packing.attention import Segments

NAME = "tests_mask"


def pair_mask(segments: Segments, past: int) -> torch.Tensor:
    """Which token (row) sees which (column), `past` columns first: bool [tokens, past + tokens].

    A token sees the nodes above its own, and of its own what comes before it, and itself.
    """
    lengths = torch.tensor(segments.lengths)
    node_of = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    is_above = torch.zeros(len(lengths), len(lengths), dtype=torch.bool)
    for node, path in enumerate(segments.paths):
        is_above[node, list(path)] = True
    own, place = node_of[:, None], torch.arange(len(node_of))
    before = (own == node_of) & (place <= place[:, None])
    seen = is_above[own, node_of] | before
    return torch.cat([torch.ones(len(node_of), past, dtype=torch.bool), seen], dim=1)


def mask_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    scaling: float | None = None,
    dropout: float = 0.0,
    segments: Segments | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function: [1, heads, tokens, d] -> [1, tokens, heads, d]."""
    assert segments is not None, "the model was called without its tree"
    mask = pair_mask(segments, key.shape[2] - query.shape[2]).to(query.device)
    found = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling, enable_gqa=True
    )
    return found.transpose(1, 2).contiguous(), None


def attend_by_mask(model: nn.Module) -> None:
    """Set a causal model of transformers to this attention."""
    AttentionInterface.register(NAME, mask_attention)
    AttentionMaskInterface.register(NAME, lambda *_, **__: None)
    model.set_attn_implementation(NAME)  # type: ignore[operator]
