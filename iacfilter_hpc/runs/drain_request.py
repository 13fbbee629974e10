"""Drain request: the file by which a run is asked to save and stop, and the signals for it.

To drain is our word for that. In Slurm it is a state of a node, which has nothing to do with it.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

from iacfilter_hpc.runs.files import write_atomically
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.record_schema import NotAnObject, json_object
from iacfilter_hpc.runs.records import now

DRAIN_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Preemption sends SIGTERM; submitit asks Slurm for SIGUSR2, people take SIGUSR1."""


def ask(layout: RunLayout, reason: str) -> None:
    """Ask the running attempt to save and stop; the first reason stays."""
    if not layout.drain.exists():
        write_atomically(layout.drain, json.dumps({"reason": reason, "at": now()}) + "\n")


def reason_in(drain: Path) -> str | None:
    """Why, as a request says; None without one, or where a person made the file by hand."""
    try:
        reason = json_object(drain.read_bytes()).get("reason")
    except (OSError, NotAnObject):
        return None
    return None if reason is None else str(reason)
