"""Lease: who may write in a run, the newest attempt that claimed it, and no other.

Slurm may run two attempts of a run at once: a node that was lost and comes back, or a job that was
resubmitted while the old one lived on. The newest wins: it is the one that Slurm knows of.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.files import write_json
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.record_schema import NotAnObject, json_object
from iacfilter_hpc.runs.records import now


class LeaseLost(TrainingError):
    """Another attempt has taken over the run."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One claim. Claims are numbered, and each number has one winner: link() is atomic on NFS too.

    A duplicate of a job, or one that lives on where its node came back, finds a higher number
    before it writes and stops: a fence, which needs no clock and no answer of the other.
    """

    folder: Path
    number: int
    attempt: str

    def check(self) -> None:
        """See that no later attempt has claimed the run.

        Raises:
            LeaseLost: one has.
        """
        newest = max(_claims(self.folder), default=0)
        # not `>`: nobody may write where claims are gone, and somebody else rules the directory
        if newest != self.number:
            raise LeaseLost(
                f"attempt {self.attempt} may not write any more: {_holder(self.folder, newest)} "
                "has taken over this run",
                hint="iacfilter-status shows which job trains it",
            )


def claim(layout: RunLayout, attempt: str) -> Lease:
    """Take over the run for this attempt, from whoever held it."""
    layout.lease.mkdir(exist_ok=True)
    # host and process too: Slurm may start one attempt twice, on a node that came back
    own = layout.lease / f".{attempt}.{socket.gethostname()}.{os.getpid()}"
    write_json(own, {"attempt": attempt, "host": socket.gethostname(), "at": now()})
    try:
        while True:
            number = max(_claims(layout.lease), default=0) + 1
            # not open(O_EXCL), after which the file is empty until its content is written
            try:
                os.link(own, _path(layout.lease, number))
            except FileExistsError:
                continue  # another attempt was quicker: it shall be superseded
            return Lease(layout.lease, number, attempt)
    finally:
        own.unlink()


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.json"


def _claims(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal()]


def _holder(folder: Path, number: int) -> str:
    try:
        return f"attempt {json_object(_path(folder, number).read_bytes())['attempt']}"
    # it is for a message alone: a claim counts by its name, whatever is in it
    except (OSError, NotAnObject, KeyError):
        return "an unknown attempt"
