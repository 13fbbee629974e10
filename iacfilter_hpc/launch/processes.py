"""Processes of local jobs on this machine: is one alive, stop one."""

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
        # a process id may have been given to another program since
        return str(layout.slurm) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop(layout: RunLayout, job: JobRecord) -> None:
    """End a local job; its worker stops the training and writes the outcome."""
    # before the signal, which alone asks to save and stop
    layout.cancelled(job.job_id).touch()
    os.kill(int(job.job_id), signal.SIGTERM)
