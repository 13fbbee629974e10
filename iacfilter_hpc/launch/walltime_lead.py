"""Walltime lead: how long before its limit a job is asked to save, longer than any save so far."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

LEAST_S = 120
SLOP_S = 60
"""Slurm sends the signal up to a minute early and kills up to a minute late.

Source: https://slurm.schedmd.com/sbatch.html#OPT_signal; measured: 12 to 26 s early.
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """What runs so far took, in seconds: each save, and a step of each run."""

    saves: list[float]
    steps: list[float]


def lead_seconds(pace: Pace, minutes: int) -> int:
    """Seconds before a limit of `minutes` at which to ask.

    Twice the longest save, two of the longest steps (one that is under way, and one that is heard
    of late), and the signal's slop; never more than half of the limit.
    """
    longest = max(pace.saves, default=0.0) + max(pace.steps, default=0.0)
    wanted = max(LEAST_S, math.ceil(2 * longest) + SLOP_S)
    return max(1, min(wanted, minutes * 60 // 2))


def recorded_pace(metrics: Iterable[Path]) -> Pace:
    """What these metrics.jsonl tell of saves and steps."""
    found = Pace([], [])
    for path in metrics:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # there is none, or it is another person's
        events = [event for line in text.splitlines() if (event := _event(line))]
        found.saves.extend(
            float(event["save_seconds"])
            for event in events
            if isinstance(event.get("save_seconds"), float | int)
        )
        found.steps.extend(_step_seconds([event for event in events if "loss" in event]))
    return found


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None  # half a line, of a kill
    return event if isinstance(event, dict) else None


def _step_seconds(events: list[dict[str, Any]]) -> list[float]:
    """The median of a run's steps: evaluations and pauses stand between some."""
    found = []
    for before, after in pairwise(events):
        try:
            passed = datetime.fromisoformat(after["time"]) - datetime.fromisoformat(before["time"])
            found.append(passed.total_seconds() / (after["step"] - before["step"]))
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            continue  # of another version
    return [median(found)] if found else []
