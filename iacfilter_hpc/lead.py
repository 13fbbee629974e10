"""How long before its time limit a job is asked to save: longer than any save so far took."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

LEAST_S = 120
SLOP_S = 60
"""Slurm sends the signal up to a minute early and kills up to a minute late.

Source: https://slurm.schedmd.com/sbatch.html#OPT_signal; measured: 12 to 26 s early.
"""


def lead_seconds(saves: Iterable[float], minutes: int) -> int:
    """Seconds before a limit of `minutes` at which to ask; `saves` took so many seconds each.

    Twice the longest save, a step and the signal's slop; never more than half of the limit.
    """
    wanted = max(LEAST_S, math.ceil(2 * max(saves, default=0.0)) + SLOP_S)
    return max(1, min(wanted, minutes * 60 // 2))


def recorded_saves(metrics: Iterable[Path]) -> list[float]:
    """The seconds of every save that these metrics.jsonl tell of."""
    found = []
    for path in metrics:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # there is none, or it is another person's
        for line in text.splitlines():
            if '"save_seconds"' in line:
                try:
                    found.append(float(json.loads(line)["save_seconds"]))
                except (ValueError, TypeError):
                    continue  # half a line, of a kill
    return found
