"""Accounting: how long the training jobs of runs took, by one call of sacct for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iacfilter_hpc.errors import SlurmError
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.states import ENDED, Executor, JobState, Purpose
from iacfilter_hpc.slurm.queue import sacct

FIELDS = ("JobID", "JobName", "State", "Elapsed")
"""Columns of sacct, in the order of Attempt's fields."""
ENDED_ONCE = ENDED | {JobState.REQUEUED}
"""States of an attempt that is over, whether or not another follows."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a job ran; `elapsed` is Slurm's own string."""

    job_id: str
    name: str
    state: JobState
    elapsed: str


def accounted_seconds(layouts: Sequence[RunLayout]) -> dict[str, float]:
    """Seconds by job id (wall time, over all attempts of a job); empty without accounting.

    A job that was requeued has a line for each attempt, and all of them held its GPUs.

    Raises:
        IacfilterError: the record of a job is damaged.
    """
    names = {
        job.job_id: layout.name
        for layout in layouts
        for job in records.jobs(layout)
        if job.executor == Executor.SLURM and job.purpose == Purpose.TRAIN
    }
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in _attempts(list(names)):
        # Slurm gives job ids again, so that the name must agree
        if attempt.name == names.get(attempt.job_id):
            attempts[attempt.job_id].append(attempt)
    # A job that still runs is left out: its time so far would stand in a table as what it took.
    # REQUEUED alone is no end either, as the next attempt may not have a line yet.
    return {
        job_id: sum(seconds_of(attempt.elapsed) for attempt in found)
        for job_id, found in attempts.items()
        if all(attempt.state in ENDED_ONCE for attempt in found)
        and any(attempt.state in ENDED for attempt in found)
    }


def seconds_of(elapsed: str) -> float:
    """Seconds of Slurm's `[days-]hours:minutes:seconds`.

    Source: https://slurm.schedmd.com/sacct.html
    """
    days, _, clock = elapsed.rpartition("-")
    hours, minutes, seconds = (float(part) for part in clock.split(":"))
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


def _attempts(job_ids: Sequence[str]) -> Iterator[Attempt]:
    """Every attempt that sacct knows; none where it is off, or its daemon down."""
    try:
        # without --duplicates sacct shows the last attempt of a requeued job alone
        for job_id, name, state, elapsed in sacct(FIELDS, job_ids, "--duplicates"):
            word = state.split(" ")[0]  # "CANCELLED by 1000"
            yield Attempt(job_id, name, JobState(word), elapsed)
    except SlurmError:
        return  # the run's own clock stands in, and the report says which clock it is
