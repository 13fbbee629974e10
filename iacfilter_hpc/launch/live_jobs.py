"""Live jobs of a run, as squeue and this machine's processes know them."""

from __future__ import annotations

from iacfilter_hpc.errors import SlurmMissing
from iacfilter_hpc.launch import processes
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import JobRecord
from iacfilter_hpc.runs.states import Executor
from iacfilter_hpc.slurm.queue import QueueEntry, queued


def live_local(run: RunLayout) -> list[JobRecord]:
    """Local jobs whose controller runs on this machine.

    Not those of another host, about which is_alive says None and which no signal from here reaches.
    """
    jobs = [job for job in records.jobs(run) if job.executor == Executor.LOCAL]
    return [job for job in jobs if processes.is_alive(run, job)]


def live_in_queue(run: RunLayout) -> list[QueueEntry]:
    """Slurm jobs that wait or run, by their name.

    So one is found that its launcher did not live to note down, or that goes on for another; squeue
    is asked with --me, and jobs of other users of a shared tree are not seen.

    Raises:
        SlurmError: squeue does not tell.
    """
    jobs = records.jobs(run)
    # squeue may be missing where all jobs were local
    if jobs and all(job.executor == Executor.LOCAL for job in jobs):
        return []
    try:
        found = queued().values()
    except SlurmMissing:
        # without a record either, nothing says that it ever was a job of Slurm's
        if not jobs:
            return []
        raise
    return [entry for entry in found if entry.name == run.name and not entry.ended]
