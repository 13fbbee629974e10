"""Signals that reach a worker: each is passed on as a request to save, or ends it at once."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from iacfilter_hpc.errors import JobFailed
from iacfilter_hpc.runs.drain_request import DRAIN_SIGNALS, ask
from iacfilter_hpc.runs.layout import RunLayout


class Stopped(JobFailed):
    """Order to end what the worker waits for, now: the parent of the two below."""


class Cancelled(Stopped):
    """Order by iacfilter-cancel or Ctrl-C."""


class Interrupted(Stopped):
    """Request to save and stop that came while there was nothing to save."""


@dataclass
class Requests:
    """Requests to save and stop, made of signals while the worker waits for a command."""

    layout: RunLayout
    job_id: str
    local: Path
    """A file of this node; training processes look for it after each step."""
    is_training: bool = False
    """Whether the command that runs can save; another one is ended at once."""
    heard: list[str] = field(default_factory=list)

    def note(self, number: int, _: FrameType | None) -> None:
        """Handle one signal. Slurm may send several, and what is asked for stays the same."""
        name = signal.Signals(number).name
        # iacfilter-cancel makes the file first: scancel and a preemption send the same SIGTERM
        if number == signal.SIGINT or self.layout.cancelled(self.job_id).exists():
            _ignore_all()
            raise Cancelled(f"stopped by {name}")
        self.heard.append(name)
        if not self.is_training:
            # a wait for a process goes on after a handler (PEP 475): only an exception ends it
            _ignore_all()
            raise Interrupted(f"stopped by {name}")
        # an error must not break off what is to save now; one of the two files is enough
        with suppress(OSError):
            self.local.touch()
        with suppress(OSError):
            ask(self.layout, name)


@contextmanager
def listening(layout: RunLayout, job_id: str, attempt: str) -> Iterator[Requests]:
    """Requests heard while the block runs; after it they are ignored, since the process ends.

    submitit's own handlers would queue the job again by themselves.
    """
    # on this node: its processes see it at once, while NFS may show the run's own file late
    with tempfile.TemporaryDirectory(prefix=f"iacfilter-{attempt}-") as folder:
        requests = Requests(layout, job_id, Path(folder) / "drain")
        numbers = (*DRAIN_SIGNALS, signal.SIGINT)
        for number in numbers:
            signal.signal(number, requests.note)
        # scancel sends SIGCONT just before SIGTERM, and submitit's handler of that writes a line to
        # the log: logging would swallow what `note` raises meanwhile, and a cancelled run go on
        signal.signal(signal.SIGCONT, _go_on)
        try:
            yield requests
        finally:
            _ignore_all()


def _go_on(_: int, __: FrameType | None) -> None:
    """Do nothing: the kernel has let a stopped process go on.

    Not SIG_IGN, which the commands of the job would inherit.
    """


def _ignore_all() -> None:
    """Another signal must not break off the ending."""
    for number in (*DRAIN_SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
