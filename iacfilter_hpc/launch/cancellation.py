"""Cancellation: which jobs of a run can be asked to save, and how live ones are ended."""

from __future__ import annotations

from iacfilter_hpc.errors import SlurmError
from iacfilter_hpc.launch import processes
from iacfilter_hpc.launch.live_jobs import live_in_queue, live_local
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.states import JobState
from iacfilter_hpc.slurm import queue


def running_jobs(run: RunLayout) -> list[str]:
    """Ids of the run's jobs that can be asked to save and stop.

    One that waits cannot be asked: its batch script begins by removing a request that is there, as
    one to an earlier job.

    Raises:
        SlurmError: squeue does not tell.
    """
    running = [e.job_id for e in live_in_queue(run) if e.state is JobState.RUNNING]
    return [*(job.job_id for job in live_local(run)), *running]


def cancel(run: RunLayout) -> list[str]:
    """End the live jobs of a run for good; their ids.

    Raises:
        SlurmError: Slurm cannot be asked, or refuses.
    """
    local = live_local(run)
    for job in local:
        processes.stop(run, job)
    return [*(job.job_id for job in local), *_cancel_in_queue(run)]


def _cancel_in_queue(run: RunLayout) -> list[str]:
    live = [entry.job_id for entry in live_in_queue(run)]
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
