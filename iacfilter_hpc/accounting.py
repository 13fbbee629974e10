"""How long the training jobs of runs took, as sacct tells it: one call, however many there are."""

from __future__ import annotations

from collections.abc import Sequence

from iacfilter_hpc import runs
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.slurm.queue import accounted


def accounted_seconds(layouts: Sequence[RunLayout]) -> dict[str, float]:
    """Seconds by job id; empty where there is no accounting.

    Raises:
        IacfilterError: the record of a job is damaged.
    """
    names = {
        job.job_id: layout.name
        for layout in layouts
        for job in runs.jobs(layout)
        if job.executor == "slurm" and job.purpose == "train"
    }
    # Slurm gives job ids again, so that the name must agree
    return {
        job_id: seconds_of(entry.elapsed)
        for job_id, entry in accounted(list(names)).items()
        if entry.ended and entry.name == names.get(job_id)
    }


def seconds_of(elapsed: str) -> float:
    """Slurm's `[days-]hours:minutes:seconds` in seconds. Source: https://slurm.schedmd.com/sacct.html"""
    days, _, clock = elapsed.rpartition("-")
    hours, minutes, seconds = (float(part) for part in clock.split(":"))
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds
