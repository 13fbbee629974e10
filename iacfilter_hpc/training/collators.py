"""Pad rows to the longest of their batch, on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.training.dataset import IGNORED


class Row(TypedDict, total=False):
    """A row of the datasets in `data`; `labels` only where an answer is trained.

    `weight` 0 takes a row out of the loss; it is 1 where it is missing.
    """

    input_ids: list[int]
    labels: list[int]
    label: int
    weight: float


Batch = dict[str, Any]
"""Tensors by name, and the layout of a packed row; see each collator."""


@dataclass(frozen=True, slots=True)
class PadCollator:
    """Rows to a padded batch; the mask comes from lengths, never from the pad's id.

    The batch: input_ids, attention_mask, perhaps labels, all [rows, longest]; label and weight
    [rows].
    """

    pad: int

    def __call__(self, rows: Sequence[Row]) -> Batch:
        """The batch of some rows.

        Raises:
            TrainingError: a row with labels has none that the loss would see.
        """
        ids = [row["input_ids"] for row in rows]
        batch: Batch = {
            "input_ids": _padded(ids, self.pad),
            "attention_mask": _padded([[1] * len(row) for row in ids], 0),
            "label": torch.tensor([row["label"] for row in rows]),
            "weight": weights_of(rows),
        }
        if any("labels" in row for row in rows):
            batch["labels"] = _padded([row["labels"] for row in rows], IGNORED)
            # position 0 is never predicted
            if not (batch["labels"][:, 1:] != IGNORED).any(dim=1).all():
                raise TrainingError("a sample has no answer token in the loss: its answer was lost")
        return batch


def weights_of(rows: Sequence[Row]) -> torch.Tensor:
    """How much each row counts in the loss, [rows]."""
    return torch.tensor([row.get("weight", 1.0) for row in rows])


def _padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])
