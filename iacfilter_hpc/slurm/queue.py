"""Queue and accounting: what squeue and sacct say of jobs, in one call each, however many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iacfilter_hpc.errors import SlurmError
from iacfilter_hpc.runs.states import JobState
from iacfilter_hpc.slurm.client import call, garbled

SEPARATOR = "\x1f"
"""ASCII's unit separator: names of jobs and reasons hold spaces, commas and bars."""
FIELDS = ("JobID", "Name", "State", "Reason", "TimeUsed", "TimeLeft", "NodeList", "StartTime")
ACCOUNTED = ("JobID", "JobName", "State", "Elapsed", "NodeList", "ExitCode")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """Entry of a job in squeue or sacct.

    Times are Slurm's own strings, such as 1-02:03:04; a field is empty where it says nothing.
    """

    job_id: str
    name: str
    state: JobState
    reason: str = ""
    elapsed: str = ""
    left: str = ""
    nodes: str = ""
    start: str = ""

    @property
    def ended(self) -> bool:
        return self.state.ended


def queued() -> dict[str, QueueEntry]:
    """My jobs that squeue still knows, by job id; also those that ended within MinJobAge.

    Raises:
        SlurmError: squeue says no, gets no answer, is missing, or cannot be understood.
    """
    # all: by default squeue leaves out what has just ended, whose state accounting may not have yet
    entries = map(_entry, squeue(FIELDS, "--states=all"))
    return {entry.job_id: entry for entry in entries}


def accounted(job_ids: Sequence[str]) -> dict[str, QueueEntry]:
    """Jobs as sacct knows them, by job id; empty where there is no accounting.

    Of a job that was requeued it is the last attempt.
    """
    try:
        entries = [_accounted_entry(row) for row in sacct(ACCOUNTED, job_ids)]
    except SlurmError:
        return {}  # accounting is off or its daemon is down: the state stays unknown
    return {entry.job_id: entry for entry in entries}


def cancel(job_ids: Sequence[str], name: str) -> None:
    """Cancel jobs, each only if it bears this name: Slurm may give old job ids again.

    Source: https://slurm.schedmd.com/scancel.html

    Raises:
        SlurmError: scancel says no, gets no answer, or is missing.
    """
    call(["scancel", f"--name={name}", *job_ids])


def squeue(fields: Sequence[str], *options: str) -> list[list[str]]:
    """Fields of each of my jobs that squeue lists, a row a job.

    Text output, not --json: its shape changes from release to release.
    Source: https://slurm.schedmd.com/squeue.html

    Raises:
        SlurmError: squeue says no, gets no answer, is missing, or cannot be understood.
    """
    # the separator as a suffix, without a width: one with a width is cut to it
    columns = ",".join(f"{field}:{SEPARATOR}" for field in fields)
    printed = call(["squeue", "--me", *options, "--noheader", f"--Format={columns}"])
    _check_is_table(printed, "squeue", SEPARATOR, len(fields))
    rows = (line.split(SEPARATOR) for line in printed.splitlines())
    # other lines are of a job with a line break in its name: none of ours
    return [row[:-1] for row in rows if len(row) == len(fields) + 1]


def sacct(fields: Sequence[str], job_ids: Sequence[str], *options: str) -> Iterator[list[str]]:
    """Fields of each of these jobs that sacct lists; the first is JobID, the second JobName.

    Source: https://slurm.schedmd.com/sacct.html

    Raises:
        SlurmError: sacct says no, gets no answer, is missing, or cannot be understood.
    """
    if not job_ids:
        return
    # all ids in one option: an option for each takes sacct three times as long
    asked = f"--format={','.join(fields)}", f"--jobs={','.join(job_ids)}"
    # -X: jobs alone, not their steps, each of which would be a row too
    printed = call(["sacct", "-X", *options, "--noheader", "--parsable2", *asked])
    _check_is_table(printed, "sacct", "|", len(fields) - 1)
    for line in printed.splitlines():
        if line.count("|") < len(fields) - 1:
            continue  # the rest of a name with a line break in it: no run's
        # a job's name may hold the separator; the other fields cannot
        job_id, rest = line.split("|", 1)
        yield [job_id, *rest.rsplit("|", len(fields) - 2)]


def _check_is_table(printed: str, program: str, separator: str, separators: int) -> None:
    """Refuse an answer that breaks off, or that is not one row of what was asked for.

    Single odd lines are no fault: a job may bear a name with a line break in it.

    Raises:
        SlurmGarbled: it is no table.
    """
    if not printed.strip(" \n"):  # not all white space: to Python the separator is
        return
    if not printed.endswith("\n") or printed.count(separator) < separators:
        raise garbled(program, printed)


def _entry(row: Sequence[str]) -> QueueEntry:
    job_id, name, said, reason, elapsed, left, nodes, start = row
    state = JobState(said)
    return QueueEntry(
        job_id=job_id,
        name=name,
        state=state,
        reason=_with_word("" if reason == "None" else reason, state, said),
        elapsed=elapsed,
        left="" if left in ("UNLIMITED", "NOT_SET", "INVALID") else left,
        nodes=nodes,
        start="" if start == "N/A" else start,
    )


def _accounted_entry(row: Sequence[str]) -> QueueEntry:
    job_id, name, said, elapsed, nodes, exit_code = row
    said = said.split(" ")[0]  # "CANCELLED by 1000"
    state = JobState(said)
    return QueueEntry(
        job_id=job_id,
        name=name,
        state=state,
        reason=_with_word("" if exit_code == "0:0" else f"exit {exit_code}", state, said),
        elapsed=elapsed,
        nodes="" if nodes == "None assigned" else nodes,
    )


def _with_word(reason: str, state: JobState, said: str) -> str:
    """The reason, and for a state that this version does not know Slurm's own word for it."""
    if state is not JobState.UNKNOWN:
        return reason
    return f"Slurm says {said}: {reason}" if reason else f"Slurm says {said}"
