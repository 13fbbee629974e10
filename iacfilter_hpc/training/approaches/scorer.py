"""Scorer: a loaded model that gives token ids their logits of FP and TP, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from iacfilter_hpc.inputs.encode import NoFit
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.packing.attention_choice import Choice
from iacfilter_hpc.packing.collators import Batch, Row
from iacfilter_hpc.packing.prefixes import Ids
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.calibration import Calibrator
from iacfilter_hpc.trained_model.decision import Decision

Logits = Iterator[tuple[Ids, torch.Tensor]]
"""Token ids of an input with the logits of FP and TP, shape [2]."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Loaded model: how samples become token ids, and distinct ones of those logits.

    `logits` computes at most so many tokens at once, and an input at least; `tokens_per_batch` is
    what suits the device. `choice` says how. Log-odds are averaged with those of `partners`, and
    `calibrator` makes them p(TP); without one the temperature alone does.
    """

    decision: Decision
    model: nn.Module
    device: torch.device
    choice: Choice
    encode: Callable[[Sequence[Sample]], Sequence[Encoded | NoFit]]
    logits: Callable[[Sequence[Ids], int], Logits]
    tokens_per_batch: int
    calibrator: Calibrator | None = None
    # also of models in ONNX
    partners: tuple[Any, ...] = ()

    def log_odds(self, rows: Sequence[Ids], budget: int | None = None) -> dict[Ids, float]:
        """Log-odds of TP of distinct inputs, at most `budget` tokens at once and an input at least.

        None is as much as suits the device.
        """
        with (
            torch.inference_mode(),
            # as the run was trained: its threshold was chosen on scores of the same arithmetic
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.decision.bf16),
        ):
            found = self.logits(rows, budget or self.tokens_per_batch)
            return {ids: _odds(logits) for ids, logits in found}


def _odds(logits: torch.Tensor) -> float:
    # a difference in bfloat16 would be rounded once more
    fp, tp = logits.double().tolist()
    return float(tp - fp)


def batches_within(rows: Iterable[Ids], budget: int) -> Iterator[list[Ids]]:
    """Batches of rows of like length, longest first, so that too large a budget shows at once.

    Padding counts: also where there is none, attention sees it.
    """
    batch: list[Ids] = []
    # equal lengths in the order of their ids: batches do not depend on the order of a file
    for ids in sorted(rows, key=lambda ids: (-len(ids), ids)):
        if batch and (len(batch) + 1) * len(batch[0]) > budget:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch


def logits_by_batch(
    rows: Sequence[Ids],
    budget: int,
    collate: Callable[[Sequence[Row]], Batch],
    logits: Callable[[Batch], torch.Tensor],
    device: torch.device,
) -> Logits:
    """The logits of distinct inputs, at most `budget` tokens at once and an input at least.

    `logits` gives those of a batch, shape [batch, 2].
    """
    for ids in batches_within(rows, budget):
        # collators want a label of every row; nothing here reads it
        batch = collate([Row(input_ids=list(row), label=0) for row in ids])
        yield from zip(ids, logits({name: t.to(device) for name, t in batch.items()}), strict=True)
