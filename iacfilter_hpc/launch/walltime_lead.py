"""Walltime lead: how long before its time limit a job is asked to save."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from iacfilter_hpc.runs.progress import LogEvent, log_events

LEAST_S = 120
"""The least lead in seconds, which also serves where no run has told anything yet."""
SLOP_S = 60
"""Slurm sends the signal up to a minute early and kills up to a minute late.

Source: https://slurm.schedmd.com/sbatch.html#OPT_signal; measured: 12 to 26 s early.
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """Pace of runs so far, in seconds: of each save, and of a step of each run."""

    saves: list[float]
    steps: list[float]


def lead_seconds(pace: Pace, minutes: int) -> int:
    """Walltime lead: seconds before a limit of `minutes` at which a job is asked to save.

    Twice the longest save, two of the longest steps (one that is under way, and one that is heard
    of late), and the signal's slop; never more than half of the limit.
    """
    longest = max(pace.saves, default=0.0) + max(pace.steps, default=0.0)
    # learned from runs: a constant, as submitit's 90 s, knows neither the model nor the file system
    wanted = max(LEAST_S, math.ceil(2 * longest) + SLOP_S)
    # half: a lead as long as the limit would have a short job stop before its first step
    return max(1, min(wanted, minutes * 60 // 2))


def recorded_pace(metrics: Iterable[Path]) -> Pace:
    """Pace that these metrics.jsonl tell of; those that cannot be read are left out."""
    found = Pace([], [])
    for path in metrics:
        events = log_events(path)
        saves = (event.number("save_seconds") for event in events)
        found.saves.extend(seconds for seconds in saves if seconds is not None)
        # lines of training alone: that of an evaluation comes at the same step, after a pause
        found.steps.extend(_step_seconds([event for event in events if "loss" in event.fields]))
    return found


def _step_seconds(events: list[LogEvent]) -> list[float]:
    """The median of a run's steps: evaluations and pauses stand between some."""
    found = []
    for before, after in pairwise(events):
        # of an earlier version, an event may lack either
        if before.at is None or after.at is None or before.step is None or after.step is None:
            continue
        if (steps := after.step - before.step) != 0:
            found.append((after.at - before.at).total_seconds() / steps)
    return [median(found)] if found else []
