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
"""Signals that ask for it.

SIGTERM is what a preemption sends (https://slurm.schedmd.com/preempt.html), SIGUSR1 what our batch
script passes on before the time limit, and SIGUSR2 what submitit asks Slurm for by default.
"""


def ask(layout: RunLayout, reason: str) -> None:
    """Ask the running attempt to save and stop; the first reason stays."""
    # no lock: where two ask at once either reason will do, and the file is whole
    if not layout.drain.exists():
        write_atomically(layout.drain, json.dumps({"reason": reason, "at": now()}) + "\n")


def reason_in(drain: Path) -> str | None:
    """Reason of a request; None without one, or where a person made the file by hand."""
    try:
        reason = json_object(drain.read_bytes()).get("reason")
    # the file asks by being there: `touch drain` is enough
    except (OSError, NotAnObject):
        return None
    return None if reason is None else str(reason)
