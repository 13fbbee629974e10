"""Cancellation: the live jobs of a run, and how they are ended."""

from __future__ import annotations

from iacfilter_hpc.errors import SlurmError
from iacfilter_hpc.launch import processes
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.states import Executor, JobState
from iacfilter_hpc.slurm import queue


def cancel(run: RunLayout) -> list[str]:
    """End the live jobs of a run for good; their ids.

    Raises:
        SlurmError: Slurm cannot be asked, or refuses.
    """
    return [*_cancel_local(run), *_cancel_slurm(run)]


def running_jobs(run: RunLayout) -> list[str]:
    """Ids of the run's jobs that can be asked to save and stop. Raises SlurmError."""
    return [*_live_local(run), *_live_slurm(run)]


def _live_local(run: RunLayout) -> list[str]:
    jobs = [job for job in records.jobs(run) if job.executor == Executor.LOCAL]
    return [job.job_id for job in jobs if processes.is_alive(run, job)]


def _live_slurm(run: RunLayout) -> list[str]:
    """Ids of the run's Slurm jobs that run.

    One that waits cannot be asked: its batch script begins by removing a request that is there, as
    one to an earlier job.
    """
    if all(job.executor == Executor.LOCAL for job in records.jobs(run)):
        return []
    found = queue.queued().values()
    return [e.job_id for e in found if e.name == run.name and e.state is JobState.RUNNING]


def _cancel_local(run: RunLayout) -> list[str]:
    # is_alive is None for a job of another host, whose processes no signal from here reaches
    live = [
        j for j in records.jobs(run) if j.executor == Executor.LOCAL and processes.is_alive(run, j)
    ]
    for job in live:
        processes.stop(run, job)
    return [job.job_id for job in live]


def _cancel_slurm(run: RunLayout) -> list[str]:
    jobs = records.jobs(run)
    # squeue may be missing where all jobs were local; without any record the job may be Slurm's
    if jobs and all(job.executor == Executor.LOCAL for job in jobs):
        return []
    # by name: also a job that the launcher did not live to note down
    live = [e.job_id for e in queue.queued().values() if e.name == run.name and not e.ended]
    if live:
        for job_id in live:
            # before the signal: without it the worker takes SIGTERM for a preemption
            run.cancelled(job_id).touch()
        try:
            queue.cancel(live, run.name)
        except SlurmError:
            # the jobs train on, and their next preemption is none of ours
            for job_id in live:
                run.cancelled(job_id).unlink(missing_ok=True)
            raise
    return live
