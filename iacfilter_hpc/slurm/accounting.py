"""How long the training jobs of runs took, as sacct tells it: one call, however many there are."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iacfilter_hpc.errors import SlurmUnreachable
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.slurm.queue import ENDED, call

FIELDS = "JobID,JobName,State,Elapsed"
ENDED_ONCE = ENDED | {"REQUEUED"}
"""States of an attempt that is over, whether or not another follows."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a job ran; `elapsed` is Slurm's own string."""

    job_id: str
    name: str
    state: str
    elapsed: str


def accounted_seconds(layouts: Sequence[RunLayout]) -> dict[str, float]:
    """Seconds by job id, over all attempts of a job; empty where there is no accounting.

    A job that was requeued has a line for each attempt, and all of them held its GPUs.

    Raises:
        IacfilterError: the record of a job is damaged.
    """
    names = {
        job.job_id: layout.name
        for layout in layouts
        for job in records.jobs(layout)
        if job.executor == "slurm" and job.purpose == "train"
    }
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in _attempts(list(names)):
        # Slurm gives job ids again, so that the name must agree
        if attempt.name == names.get(attempt.job_id):
            attempts[attempt.job_id].append(attempt)
    return {
        job_id: sum(seconds_of(attempt.elapsed) for attempt in found)
        for job_id, found in attempts.items()
        if all(attempt.state in ENDED_ONCE for attempt in found)
        and any(attempt.state in ENDED for attempt in found)
    }


def seconds_of(elapsed: str) -> float:
    """Slurm's `[days-]hours:minutes:seconds` in seconds. Source: https://slurm.schedmd.com/sacct.html"""
    days, _, clock = elapsed.rpartition("-")
    hours, minutes, seconds = (float(part) for part in clock.split(":"))
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


def _attempts(job_ids: Sequence[str]) -> Iterator[Attempt]:
    """Every attempt that sacct knows; none where it is off, or its daemon down."""
    if not job_ids or shutil.which("sacct") is None:
        return
    argv = [
        *("sacct", "-X", "--duplicates", "--noheader", "--parsable2"),
        *(f"--format={FIELDS}", f"--jobs={','.join(job_ids)}"),
    ]
    try:
        output = call(argv)
    except SlurmUnreachable:
        return  # the run's own clock stands in, and the report says which clock it is
    for line in output.splitlines():
        if line.count("|") < FIELDS.count(","):
            continue  # the rest of a name with a line break in it: no run's
        # a job's name may hold the separator; the other fields cannot
        job_id, rest = line.split("|", 1)
        name, state, elapsed = rest.rsplit("|", 2)
        yield Attempt(job_id, name, state.split(" ")[0], elapsed)  # "CANCELLED by 1000"
