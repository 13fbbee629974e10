"""Processes of local jobs on this machine: whether one is alive, and how it is stopped."""

from __future__ import annotations

import os
import signal
import socket

from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import JobRecord


def is_alive(layout: RunLayout, job: JobRecord) -> bool | None:
    """Whether a local job's controller still runs; None on another host, which cannot know."""
    import psutil

    if job.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(job.job_id))
        # A process id may have been given to another program since: the controller's arguments hold
        # the run's folder. A dry run does not wait for its child, which ends as a zombie.
        return str(layout.slurm) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop(layout: RunLayout, job: JobRecord) -> None:
    """End a local job; its worker stops the training and writes the outcome."""
    # before the signal, which alone asks to save and stop
    layout.cancelled(job.job_id).touch()
    # submitit's controller passes SIGTERM on to the worker
    os.kill(int(job.job_id), signal.SIGTERM)
