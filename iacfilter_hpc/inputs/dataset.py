"""Datasets: token ids as the rows that the Trainer reads, and held-out ones that it only scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers.trainer_utils import PredictionOutput

from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.tokenizer import PromptTokenizer
from iacfilter_hpc.samples.label_counts import check_both_classes
from iacfilter_hpc.samples.sample import LABELS, Sample, SampleFile, read_sample_file

IGNORE_INDEX = -100
"""The label of a token that is no part of the loss (PyTorch's cross entropy)."""


def read_both_classes(path: Path) -> SampleFile:
    """The samples of a training or validation file.

    Raises:
        DataError: as read_sample_file does, and if TP or FP is missing.
    """
    file = read_sample_file(path)
    check_both_classes(file)
    return file


def training_rows(
    samples: Sequence[Sample], encoded: Sequence[Encoded], tokenizer: PromptTokenizer
) -> Dataset:
    """Rows of prompt, answer and EOS; only answer and EOS are labels.

    Columns: input_ids and labels (lists of equal length), label (0 FP, 1 TP).
    """
    answers = tokenizer.answers
    rows = []
    for sample, prompt in zip(samples, encoded, strict=True):
        # the tokens that both answers begin with are the prompt's last ones already
        # EOS is trained too: a model that has not learned it never stops where it generates
        rest = [*(answers.tp if sample.label == "TP" else answers.fp), tokenizer.eos]
        # they are labels all the same: the loss is of the whole answer
        answer = [*answers.shared, *rest]
        ids = [*prompt.ids, *rest]
        rows.append(
            {
                "input_ids": ids,
                "labels": [IGNORE_INDEX] * (len(ids) - len(answer)) + answer,
                "label": LABELS.index(sample.label),
            }
        )
    return Dataset.from_list(rows)


def scoring_rows(samples: Sequence[Sample], encoded: Sequence[Encoded]) -> Dataset:
    """Rows of inputs without answers, in the samples' order.

    Columns: input_ids, label (0 FP, 1 TP). The encoder trains on these too.
    """
    return Dataset.from_list(
        [
            {"input_ids": list(e.ids), "label": LABELS.index(s.label)}
            for s, e in zip(samples, encoded, strict=True)
        ]
    )


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out rows, those that are alike side by side.

    `places` [samples] says for each sample, in their own order, which row is its.
    """

    rows: Dataset
    places: tuple[int, ...]

    def log_odds(self, predicted: PredictionOutput) -> list[float]:
        """Log-odds of TP, in the samples' own order, from predictions [rows, 2] of FP and TP.

        log p(TP) - log p(FP): the softmax's sum cancels.
        """
        # float64, so that the difference adds no rounding of its own
        logits = np.asarray(predicted.predictions, dtype=np.float64)
        found: list[float] = (logits[:, 1] - logits[:, 0])[list(self.places)].tolist()
        return found


def hold_out(samples: Sequence[Sample], encoded: Sequence[Encoded], shares: bool) -> HeldOut:
    """Samples as rows to score, by their beginnings if these are shared, else by length."""
    # the Trainer scores rows in their order, so many at a time: what begins alike is computed once
    # if side by side, and what is as long needs the least padding
    order = sorted(
        range(len(samples)),
        key=lambda i: ((0 if shares else len(encoded[i].ids)), encoded[i].ids, i),
    )
    # the inverse permutation
    places = sorted(range(len(order)), key=order.__getitem__)
    rows = scoring_rows([samples[i] for i in order], [encoded[i] for i in order])
    return HeldOut(rows, tuple(places))
