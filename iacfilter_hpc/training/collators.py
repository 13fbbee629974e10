"""Pad rows to the longest of their batch, on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import torch

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.training.data import IGNORED


class Row(TypedDict, total=False):
    """A row of the datasets in `data`; `labels` only where an answer is trained."""

    input_ids: list[int]
    labels: list[int]
    label: int
    length: int


Batch = dict[str, torch.Tensor]
"""input_ids, attention_mask, perhaps labels, all [batch, longest]; and label [batch]."""


@dataclass(frozen=True, slots=True)
class PadCollator:
    """Rows to a padded batch; the mask comes from lengths, never from the pad's id."""

    pad: int

    def __call__(self, rows: Sequence[Row]) -> Batch:
        """The batch of some rows.

        Raises:
            TrainingError: a row with labels has none that the loss would see.
        """
        ids = [row["input_ids"] for row in rows]
        batch = {
            "input_ids": _padded(ids, self.pad),
            "attention_mask": _padded([[1] * len(row) for row in ids], 0),
            "label": torch.tensor([row["label"] for row in rows]),
        }
        if any("labels" in row for row in rows):
            batch["labels"] = _padded([row["labels"] for row in rows], IGNORED)
            # position 0 is never predicted
            if not (batch["labels"][:, 1:] != IGNORED).any(dim=1).all():
                raise TrainingError("a sample has no answer token in the loss: its answer was lost")
        return batch


def _padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])
