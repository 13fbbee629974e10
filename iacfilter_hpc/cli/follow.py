"""Log of a local job, copied to stderr as it grows, until the job has ended."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.launch import processes
from iacfilter_hpc.launch.status import RunState, report
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
        sys.stderr.write(added.decode("utf-8", errors="replace"))
        sys.stderr.flush()


def until_end(submitted: Submitted) -> RunState:
    """Wait for the end of a local job; Ctrl-C stops the job and then raises as ever."""
    layout, job_id = submitted.layout, submitted.job_id
    (job,) = [job for job in records.jobs(layout) if job.job_id == job_id]
    tails = [Tail(layout.log(job_id)), Tail(layout.error_log(job_id))]
    try:
        while processes.is_alive(layout, job):
            for tail in tails:
                tail.copy()
            time.sleep(INTERVAL_S)
    except KeyboardInterrupt:
        processes.stop(layout, job)
        raise
    for tail in tails:
        tail.copy()
    return report([layout]).states[0]
