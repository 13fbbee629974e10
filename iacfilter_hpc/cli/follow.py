"""Follower of a local job: its log is copied to stderr as it grows, until the job has ended."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.launch import processes
from iacfilter_hpc.launch.status import RunState, status_report
from iacfilter_hpc.runs import records

if TYPE_CHECKING:
    from iacfilter_hpc.launch.submission import Submitted

INTERVAL_S = 0.2


class Tail:
    """A growing file, copied to stderr as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0

    def copy(self) -> None:
        """Write what has been added since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.position)
                added = file.read()
        except FileNotFoundError:
            return  # the job has not begun
        self.position += len(added)
        # a read may end inside a character, whose halves are then replaced: the log has it whole
        sys.stderr.write(added.decode("utf-8", errors="replace"))
        sys.stderr.flush()


def until_end(submitted: Submitted) -> RunState:
    """Wait for the end of a local job and return how it ended.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the job has been stopped.
    """
    layout, job_id = submitted.layout, submitted.job_id
    (job,) = [job for job in records.jobs(layout) if job.job_id == job_id]
    tails = [Tail(layout.log(job_id)), Tail(layout.error_log(job_id))]
    try:
        while processes.is_alive(layout, job):
            for tail in tails:
                tail.copy()
            time.sleep(INTERVAL_S)
    except KeyboardInterrupt:
        # a terminal sends SIGINT to the job as well, kill -INT does not
        processes.stop(layout, job)
        raise
    # what was written between the last copy and the end
    for tail in tails:
        tail.copy()
    return status_report([layout]).states[0]
