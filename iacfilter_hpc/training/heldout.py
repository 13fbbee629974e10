"""Samples that training scores but never learns from, kept where they share most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from transformers.trainer_utils import PredictionOutput

from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.training.audit import Encoded
from iacfilter_hpc.training.data import scoring_rows


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows that are alike side by side.

    `places` says for each sample, in their own order, which row is its.
    """

    rows: Dataset
    places: tuple[int, ...]

    def log_odds(self, predicted: PredictionOutput) -> list[float]:
        """Log-odds of TP, in the samples' own order."""
        logits = np.asarray(predicted.predictions, dtype=np.float64)
        found: list[float] = (logits[:, 1] - logits[:, 0])[list(self.places)].tolist()
        return found


def hold_out(samples: Sequence[Sample], encoded: Sequence[Encoded], shares: bool) -> HeldOut:
    """Samples as rows to score, by their beginnings if these are shared, else by length."""
    order = sorted(
        range(len(samples)),
        key=lambda i: ((0 if shares else len(encoded[i].ids)), encoded[i].ids, i),
    )
    places = sorted(range(len(order)), key=order.__getitem__)
    rows = scoring_rows([samples[i] for i in order], [encoded[i] for i in order])
    return HeldOut(rows, tuple(places))
