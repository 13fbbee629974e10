"""Batch samples of like length, in an order that only seed, epoch and lengths decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices


class LengthBucketSampler(Sampler[int]):
    """Indices of all samples, each once: a random set for each optimizer step, sorted by length.

    Sorting only inside a step saves padding and leaves what a step sees random. The order is the
    same on every rank and in every run: the global random state is neither read nor changed.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """`lengths` in tokens; `batch_size` is what one optimizer step sees on all processes."""
        self._lengths = list(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        # an odd multiplier keeps (seed, epoch) pairs apart modulo 2**63
        seed = (self._seed * 0x9E3779B97F4A7C15 + self._epoch) % 2**63
        generator = torch.Generator().manual_seed(seed)
        indices: list[int] = get_length_grouped_indices(
            self._lengths, self._batch_size, mega_batch_mult=1, generator=generator
        )
        return iter(indices)
