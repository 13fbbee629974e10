"""Held-out samples are scored where they share most, and told in their own order."""

from __future__ import annotations

import numpy as np
import pytest
from transformers.trainer_utils import PredictionOutput

from iacfilter_hpc.inputs.dataset import hold_out
from iacfilter_hpc.inputs.encoded import Encoded
from tests.training.settings import sample

pytestmark = pytest.mark.train


@pytest.mark.parametrize("shares", [True, False])
def test_scores_come_back_in_order(shares: bool) -> None:
    ids = [(3, 9), (1, 5), (3, 2), (1, 5), (2,)]
    samples = [sample(["code"], 0) for _ in ids]
    held_out = hold_out(samples, [Encoded(row) for row in ids], shares)
    assert held_out.rows["input_ids"] == [
        list(row) for row in sorted(ids, key=lambda row: (0 if shares else len(row), row))
    ]
    # a model whose log-odds are the first token less the last
    logits = np.array([[row[-1], row[0]] for row in held_out.rows["input_ids"]], dtype=np.float32)
    found = held_out.log_odds(PredictionOutput(logits, None, None))
    assert found == [row[0] - row[-1] for row in ids]
