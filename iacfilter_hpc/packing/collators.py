"""Collators: rows to a padded batch, or to one packed row that computes shared beginnings once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.dataset import IGNORE_INDEX
from iacfilter_hpc.packing.prefixes import LEAST, Tree, grow


class Row(TypedDict, total=False):
    """Row of a dataset of inputs.dataset; `labels` only where an answer is trained.

    `weight` 0 takes a row out of the loss (see Micro); it is 1 where it is missing. `index` says
    which row of the dataset it is; no collator reads it.
    """

    input_ids: list[int]
    labels: list[int]
    label: int
    weight: float
    index: int


Batch = dict[str, Any]
"""Tensors by name, and the layout of a packed row; see each collator."""


@dataclass(frozen=True, slots=True)
class PadCollator:
    """Padding collator: rows to a padded batch, for models that cannot take packed rows.

    The mask comes from lengths, never from the pad's id: that may be <unk>, which texts have too.
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
            batch["labels"] = _padded([row["labels"] for row in rows], IGNORE_INDEX)
            # position 0 is never predicted. Checked in every batch: a lost answer is no error to
            # PyTorch, and training would go on without it
            if not (batch["labels"][:, 1:] != IGNORE_INDEX).any(dim=1).all():
                raise TrainingError("a sample has no answer token in the loss: its answer was lost")
        return batch


def weights_of(rows: Sequence[Row]) -> torch.Tensor:
    """How much each row counts in the loss, [rows]."""
    return torch.tensor([row.get("weight", 1.0) for row in rows])


def _padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


@dataclass(frozen=True, slots=True)
class TreeCollator:
    """Tree collator: rows as a prefix tree. Those with labels are trained on them, others scored.

    Scoring predicts the one token after the end of a row.

    The batch: `tree`, of which attention gets the segments; input_ids and position_ids
    [1, tokens]; `kept`, the places in the row where logits are needed [kept]; for each
    token to predict `picked`, which of `kept` predicts it, `target` (absent in scoring) and
    `owner`, the row it is of; `label` and `weight` [rows].
    """

    least: int = LEAST

    def __call__(self, rows: Sequence[Row]) -> Batch:
        """The batch of some rows.

        Raises:
            TrainingError: a row with labels has none that the loss would see.
        """
        asked = [_asked(row) for row in rows]
        # nothing is predicted from a last token that is itself a label
        inputs = [tuple(r["input_ids"][: a[-1][0] + 1]) for r, a in zip(rows, asked, strict=True)]
        tree = grow(inputs, self.least)
        places = [tree.place(i, depth) for i, row in enumerate(asked) for depth, _ in row]
        # logits are computed once where several samples are predicted from one token: a row of them
        # is as wide as the vocabulary
        kept = sorted(set(places))
        rank = {place: i for i, place in enumerate(kept)}
        batch: Batch = {
            "label": torch.tensor([row["label"] for row in rows]),
            "weight": weights_of(rows),
            **tree_tensors(tree),
            "kept": torch.tensor(kept),
            "picked": torch.tensor([rank[place] for place in places]),
            "owner": torch.tensor([i for i, row in enumerate(asked) for _ in row]),
            "tree": tree,
        }
        if "labels" in rows[0]:
            batch["target"] = torch.tensor([token for row in asked for _, token in row])
        return batch


def tree_tensors(tree: Tree) -> dict[str, torch.Tensor]:
    """The row of a tree: input_ids and position_ids, [1, tokens]; a position is a token's depth."""
    ids = [token for node in tree.nodes for token in node.ids]
    positions = [node.depth + i for node in tree.nodes for i in range(len(node.ids))]
    return {"input_ids": torch.tensor([ids]), "position_ids": torch.tensor([positions])}


def _asked(row: Row) -> list[tuple[int, int]]:
    """What the model is asked: after which depth it predicts, and which token (scoring: none)."""
    if "labels" not in row:
        return [(len(row["input_ids"]) - 1, IGNORE_INDEX)]
    # position 0 is never predicted
    found = [(i - 1, t) for i, t in enumerate(row["labels"]) if i and t != IGNORE_INDEX]
    if not found:
        raise TrainingError("a sample has no answer token in the loss: its answer was lost")
    return found


@dataclass(frozen=True, slots=True)
class FlatCollator:
    """Flat collator: rows one after another, for models that look both ways.

    Such a token's state depends on all that comes after it, so that nothing can be shared.

    The batch: input_ids and token_type_ids [1, tokens]; position_ids [1, tokens], which begin at
    `first_position` in each row; `gather` [rows, longest], where in the packed row each token of a
    padded batch stands; `inside` [rows, longest], which of them are no padding; `back` [tokens],
    the way back; `label` and `weight` [rows].
    """

    first_position: int

    def __call__(self, rows: Sequence[Row]) -> Batch:
        """The batch of some rows."""
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        starts = lengths.cumsum(0) - lengths
        inside = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
        gather = (starts[:, None] + inside.cumsum(1) - 1).clamp(max=int(lengths.sum()) - 1)
        # past the end of a row `gather` may point anywhere inside the packed one: `inside` hides it
        ids = torch.tensor([[token for row in rows for token in row["input_ids"]]])
        return {
            "label": torch.tensor([row["label"] for row in rows]),
            "weight": weights_of(rows),
            "input_ids": ids,
            "token_type_ids": torch.zeros_like(ids),
            "position_ids": (inside.cumsum(1)[inside] - 1 + self.first_position)[None, :],
            "gather": gather,
            "inside": inside,
            "back": inside.flatten().nonzero()[:, 0],
        }
