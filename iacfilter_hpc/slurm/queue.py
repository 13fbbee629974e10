"""Ask squeue and sacct about jobs: one call each, however many jobs there are."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from iacfilter_hpc.errors import SlurmUnreachable

SEPARATOR = "\x1f"
FIELDS = ("JobID", "Name", "State", "Reason", "TimeUsed", "TimeLeft", "NodeList", "StartTime")
TIMEOUT_S = 60
ENDED = frozenset(
    "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED "
    "TIMEOUT".split()
)
"""States of jobs that have ended. Source: https://slurm.schedmd.com/job_state_codes.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """What Slurm says of one job; times are Slurm's own strings, empty where it says nothing."""

    job_id: str
    name: str
    state: str
    reason: str = ""
    elapsed: str = ""
    left: str = ""
    nodes: str = ""
    start: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def queued() -> dict[str, QueueEntry]:
    """My jobs that squeue still knows, by job id; also those that ended within MinJobAge.

    Text output, not --json: its shape changes from release to release.
    Source: https://slurm.schedmd.com/squeue.html

    Raises:
        SlurmUnreachable: squeue is missing or the controller does not answer.
    """
    columns = ",".join(f"{field}:{SEPARATOR}" for field in FIELDS)
    output = call(["squeue", "--me", "--states=all", "--noheader", f"--Format={columns}"])
    entries = (line.split(SEPARATOR) for line in output.splitlines() if line)
    return {entry[0]: _entry(entry) for entry in entries if len(entry) == len(FIELDS) + 1}


def accounted(job_ids: Sequence[str]) -> dict[str, QueueEntry]:
    """What sacct knows of these jobs, by job id; empty where there is no accounting.

    Source: https://slurm.schedmd.com/sacct.html
    """
    if not job_ids or shutil.which("sacct") is None:
        return {}
    fields = "JobID,JobName,State,Elapsed,NodeList,ExitCode"
    ids = ",".join(job_ids)
    try:
        output = call(
            ["sacct", "-X", "--noheader", "--parsable2", f"--format={fields}", f"--jobs={ids}"]
        )
    except SlurmUnreachable:
        return {}  # accounting is off or its daemon is down: the state stays unknown
    entries = {}
    for line in output.splitlines():
        if line.count("|") < 5:
            continue  # the rest of a name with a line break in it: no run's
        # a job's name may hold the separator; the other fields cannot
        job_id, rest = line.split("|", 1)
        name, state, elapsed, nodes, exit_code = rest.rsplit("|", 4)
        entries[job_id] = QueueEntry(
            job_id=job_id,
            name=name,
            state=state.split(" ")[0],  # "CANCELLED by 1000"
            reason="" if exit_code == "0:0" else f"exit {exit_code}",
            elapsed=elapsed,
            nodes="" if nodes == "None assigned" else nodes,
        )
    return entries


def cancel(job_ids: Sequence[str], name: str) -> None:
    """Cancel jobs, each only if it bears this name: Slurm may give old job ids again.

    Source: https://slurm.schedmd.com/scancel.html
    """
    call(["scancel", f"--name={name}", *job_ids])


def _entry(fields: Sequence[str]) -> QueueEntry:
    job_id, name, state, reason, elapsed, left, nodes, start, _ = fields
    return QueueEntry(
        job_id=job_id,
        name=name,
        state=state,
        reason="" if reason == "None" else reason,
        elapsed=elapsed,
        left="" if left in ("UNLIMITED", "NOT_SET", "INVALID") else left,
        nodes=nodes,
        start="" if start == "N/A" else start,
    )


def call(argv: Sequence[str]) -> str:
    """What a command of Slurm prints.

    Raises:
        SlurmUnreachable: it is missing, gives no answer in time, or fails.
    """
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # another job of mine may bear a name in Latin-1
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise SlurmUnreachable(f"{argv[0]} is not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmUnreachable(f"{argv[0]} gave no answer in {TIMEOUT_S} s") from error
    if done.returncode:
        message = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SlurmUnreachable(f"{argv[0]} failed: {message}")
    return done.stdout
