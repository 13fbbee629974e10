"""Failures of an attempt: what broke it, by the files of its processes, else by its log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.records import FAILURE, FailureRecord, Outcome, now
from iacfilter_hpc.runs.states import FailureCause, JobState

ERROR_LINE = re.compile(
    r"(?:\[rank\d+\]: )?(?:error: (?=.)|(?=[A-Za-z_.]+(?:Error|Exception): ))(?P<what>.+)"
)
"""First line of an error in a log: of our own commands, or the last line of a traceback.

torchelastic prefixes the rank. Only at the beginning of a line: logs quote code and messages.
"""

# Words of the CUDA driver, NCCL and the kernel. Sources: https://docs.nvidia.com/deploy/xid-errors,
# https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
# A device-side assert is left out: an index out of range in the code, on whatever node it runs
NODE = re.compile(
    r"uncorrectable ECC|\bXid\b|ncclSystemError|CUDA driver|"
    r"no CUDA-capable device|CUDA error: (?:device(?!-side assert)|hardware|unknown)|"
    r"fallen off the bus|Stale file handle|Input/output error"
)
MEMORY = re.compile(r"out of memory|OutOfMemoryError|Cannot allocate memory|MemoryError")
# What gloo, NCCL and torch say in the processes that are left when another one has gone. Sources:
# gloo/transport/tcp/pair.cc, ncclResult_t, torch.distributed's exceptions
LOST_PEER = re.compile(
    r"Connection (?:closed by peer|reset by peer|refused)|Broken pipe|ncclRemoteError|"
    r"remote process exited|NCCL communicator was aborted|Socket [Tt]imeout|"
    r"Timed out waiting \d+ms for (?:recv|send)|DistNetworkError|DistStoreError"
)
CHILD = "ChildFailedError"
"""What torchelastic raises when any of its processes has ended badly."""
# slurmstepd's words. Source: src/slurmd/slurmstepd/mgr.c
OOM_KILL = re.compile(r"oom.kill event|OOM Killed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """What broke an attempt; `step` counts optimizer steps, None before the first one."""

    cause: FailureCause
    message: str
    step: int | None = None
    node: str | None = None


def find_failure(layout: RunLayout, attempt: str, log: Path) -> Failure | None:
    """The failure that began it all, else what the log says; None if nobody says.

    Our own errors come first, and last what fails because another process has gone: if there is
    nothing else, that other one was killed.
    """
    if (told := reported(layout, attempt)) is not None:
        return told
    line = first_error(log)
    # a launcher's word about a process that left none of its own: it was killed
    return (
        Failure(_cause(line, FailureCause.EXCEPTION), line) if line and CHILD not in line else None
    )


def reported(layout: RunLayout, attempt: str) -> Failure | None:
    """The failure that began it all, by the files that the processes left; None without one."""
    told = _failures(layout, attempt)
    # stable: of failures alike the lowest rank stays first
    told.sort(
        key=lambda failure: (
            failure.cause is FailureCause.KILLED,
            failure.cause is not FailureCause.ERROR,
        )
    )
    return told[0] if told else None


def memory_ran_out(layout: RunLayout, attempt: str) -> bool:
    """Whether Slurm noted in a log of the attempt that the kernel killed a process for memory.

    Its exit code does not tell: such a process ends by signal 9, like any other that is killed.
    """
    return any(
        OOM_KILL.search(path.read_text(encoding="utf-8", errors="replace"))
        for path in layout.slurm.glob(f"{attempt}_*_log.err")
    )


def nodes_at_fault(layout: RunLayout, attempt: str) -> set[str]:
    """The nodes of processes that a fault of their node has broken; a new job keeps off them."""
    told = _failures(layout, attempt)
    return {failure.node for failure in told if failure.cause is FailureCause.NODE and failure.node}


def first_error(log: Path) -> str | None:
    """What the first line `error: ...` or `SomeError: ...` of a log says; None if it has none.

    The first, since launchers and other ranks complain after it.
    """
    try:
        # errors="replace": programs print any bytes, and all that matters may follow them
        with log.open(encoding="utf-8", errors="replace") as file:
            found = next(filter(None, map(ERROR_LINE.match, file)), None)
    except OSError:
        return None
    return found["what"].strip() if found else None


def outcome_of_killed(layout: RunLayout, job_id: str, restarts: int, saved: int) -> Outcome:
    """The outcome of an attempt whose worker could not write one: as its processes tell it.

    `saved` is the step of the newest checkpoint.
    """
    failure = reported(layout, attempt_name(job_id, restarts))
    # a kill may not happen again, so that the run goes on: see worker.requeue_policy
    failure = failure or Failure(FailureCause.KILLED, "its worker was killed")
    return Outcome(
        job_id=job_id,
        restarts=restarts,
        state=JobState.FAILED,
        exit_code=1,
        message=failure.message,
        cause=failure.cause,
        step=failure.step,
        saved=saved,
        # nobody is left who knows when it began
        started_at=now(),
        ended_at=now(),
        nodes=[],
    )


def _failures(layout: RunLayout, attempt: str) -> list[Failure]:
    """By rank, without files that are not whole: a node that broke may have written them."""
    found = layout.slurm.glob(f"{attempt}_failure_*.json")
    # by length first: rank 10 comes after rank 9
    paths = sorted(found, key=lambda path: (len(path.name), path.name))
    return [_failure(record) for path in paths if (record := _read(path))]


def _read(path: Path) -> FailureRecord | None:
    try:
        return FAILURE.find(path)
    except IacfilterError:
        return None


def _failure(record: FailureRecord) -> Failure:
    is_error = record.kind is FailureCause.ERROR
    message = record.message if is_error else f"{record.type}: {record.message}"
    cause = _cause(message, record.kind)
    return Failure(cause, _first_line(message), record.step, record.node)


def _cause(message: str, kind: FailureCause) -> FailureCause:
    # before any pattern: an error of ours may quote what a disk or a GPU has said
    if kind is FailureCause.ERROR:
        return FailureCause.ERROR
    if MEMORY.search(message):
        return FailureCause.MEMORY
    if NODE.search(message):
        return FailureCause.NODE
    return FailureCause.KILLED if LOST_PEER.search(message) else FailureCause.EXCEPTION


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), text)
