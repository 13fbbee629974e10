"""What broke an attempt: from the files that its processes left, else from its log."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.records import Outcome, now
from iacfilter_hpc.runs.states import FailureCause, JobState

ERROR_LINE = re.compile(
    r"(?:\[rank\d+\]: )?(?:error: (?=.)|(?=[A-Za-z_.]+(?:Error|Exception): ))(?P<what>.+)"
)
"""Of our own commands, or the last line of a traceback; torchelastic prefixes the rank."""

# Words of the CUDA driver, NCCL and the kernel. Sources: https://docs.nvidia.com/deploy/xid-errors,
# https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
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
    """What broke an attempt; `step` is None before the first one."""

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
    told = [_failure(fields) for path in _files(layout, attempt) if (fields := _read(path))]
    told.sort(
        key=lambda failure: (
            failure.cause is FailureCause.KILLED,
            failure.cause is not FailureCause.ERROR,
        )
    )
    return told[0] if told else None


def memory_ran_out(layout: RunLayout, attempt: str) -> bool:
    """Whether Slurm noted in a log of the attempt that the kernel killed a process for memory."""
    return any(
        OOM_KILL.search(path.read_text(encoding="utf-8", errors="replace"))
        for path in layout.slurm.glob(f"{attempt}_*_log.err")
    )


def nodes_at_fault(layout: RunLayout, attempt: str) -> set[str]:
    """The nodes whose processes failed of their node."""
    told = [_failure(fields) for path in _files(layout, attempt) if (fields := _read(path))]
    return {failure.node for failure in told if failure.cause is FailureCause.NODE and failure.node}


def first_error(log: Path) -> str | None:
    """What the first line `error: ...` or `SomeError: ...` of a log says; None if it has none.

    The first, since launchers and other ranks complain after it.
    """
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            found = next(filter(None, map(ERROR_LINE.match, file)), None)
    except OSError:
        return None
    return found["what"].strip() if found else None


def saved_step(layout: RunLayout) -> int:
    """The step of the newest checkpoint, 0 without one."""
    steps = (path.name.removeprefix("checkpoint-") for path in _checkpoints(layout))
    return max((int(step) for step in steps if step.isdecimal()), default=0)


def last_step(layout: RunLayout) -> int | None:
    """The step that training had come to some seconds ago at most; None before the first."""
    try:
        return int(json.loads(layout.heartbeat.read_bytes())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def outcome_of_killed(layout: RunLayout, job_id: str, restarts: int) -> Outcome:
    """The outcome of an attempt whose worker could not write one: as its processes tell it."""
    failure = reported(layout, attempt_name(job_id, restarts))
    failure = failure or Failure(FailureCause.KILLED, "its worker was killed")
    return Outcome(
        job_id=job_id,
        restarts=restarts,
        state=JobState.FAILED,
        exit_code=1,
        message=failure.message,
        cause=failure.cause,
        step=failure.step,
        saved=saved_step(layout),
        started_at=now(),
        ended_at=now(),
        nodes=[],
    )


def _checkpoints(layout: RunLayout) -> list[Path]:
    return list(layout.directory.glob("checkpoint-*"))


def _files(layout: RunLayout, attempt: str) -> list[Path]:
    """By rank."""
    found = layout.slurm.glob(f"{attempt}_failure_*.json")
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _read(path: Path) -> dict[str, Any] | None:
    """A failure file; None if it is not whole, since a node that broke may have written it."""
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        return {name: fields[name] for name in ("kind", "node", "type", "message", "step")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _failure(fields: dict[str, Any]) -> Failure:
    is_error = fields["kind"] == FailureCause.ERROR
    message = fields["message"] if is_error else f"{fields['type']}: {fields['message']}"
    cause = _cause(message, fields["kind"])
    return Failure(cause, _first_line(message), fields["step"], fields["node"])


def _cause(message: str, kind: str) -> FailureCause:
    if kind == FailureCause.ERROR:
        return FailureCause.ERROR
    if MEMORY.search(message):
        return FailureCause.MEMORY
    if NODE.search(message):
        return FailureCause.NODE
    return FailureCause.KILLED if LOST_PEER.search(message) else FailureCause.EXCEPTION


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), text)
