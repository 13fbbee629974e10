"""Drain: a request to save and stop, by a signal or a file, heard by all processes at one step."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from iacfilter_hpc.runs.drain_request import DRAIN_SIGNALS, reason_in
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.variables import DRAIN

UNKNOWN = "unknown"


class Drained(Exception):
    """Training has stopped because it was asked to; all that it did is in `checkpoint`."""

    def __init__(self, step: int, checkpoint: str | None, reason: str) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step
        self.checkpoint = checkpoint
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Drain:
    """Places where a request shows, and what has been heard so far.

    `shared` lies in the run's directory. Other nodes may see a new file on NFS late, so each node's
    worker also makes `local` when it gets a signal.
    """

    shared: Path
    local: Path | None
    heard: list[str]
    """Signals that this process got."""

    def is_asked_here(self) -> bool:
        """Whether this process knows of a request."""
        if self.heard or (self.local is not None and self.local.exists()):
            return True
        return self.shared.exists()

    def is_asked(self, device: torch.device) -> bool:
        """Whether any process knows of a request; each must call this at the same place."""
        asked = self.is_asked_here()
        if not torch.distributed.is_initialized():
            return asked
        # one process that stopped alone would leave the others waiting in the next collective
        flag = torch.tensor(int(asked), device=device)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())

    def reason(self) -> str:
        """Why: as the file in the run's directory says, else the signal."""
        heard = self.heard[0] if self.heard else UNKNOWN
        return reason_in(self.shared) or heard


def listen(layout: RunLayout) -> Drain:
    """Turn the signals that mean it into requests, from now on."""
    local = os.environ.get(DRAIN)
    drain = Drain(layout.drain, Path(local) if local else None, [])

    def note(number: int, _: FrameType | None) -> None:
        drain.heard.append(signal.Signals(number).name)

    for number in DRAIN_SIGNALS:
        signal.signal(number, note)
    # jobs/train.py has blocked them since it began: one that came in between is handled here, now
    signal.pthread_sigmask(signal.SIG_UNBLOCK, DRAIN_SIGNALS)
    return drain
