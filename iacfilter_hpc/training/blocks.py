"""Attention of models that look both ways, over sequences side by side in one row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where each token of a padded batch stands in a packed row, and back: see FlatCollator."""

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

    [1, heads, tokens, d] -> [1, tokens, heads, d]. Only here is anything padded: the rest of the
    model, nearly all of its work, sees no padding.
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
