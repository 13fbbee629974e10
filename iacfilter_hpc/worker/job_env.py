"""Job environment: which job, attempt and node a worker is part of, and where all of them meet."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from iacfilter_hpc.errors import JobFailed
from iacfilter_hpc.runs.layout import attempt_name
from iacfilter_hpc.runs.variables import RENDEZVOUS, RESTARTS
from iacfilter_hpc.slurm.rendezvous import free_port

"""Set from the second start of a job on. Source: https://slurm.schedmd.com/sbatch.html"""


@dataclass(frozen=True, slots=True)
class JobEnv:
    """Which attempt of which job a worker is part of; `rank` is that of its node."""

    job_id: str
    restarts: int
    rank: int
    hostnames: list[str]

    @property
    def attempt(self) -> str:
        return attempt_name(self.job_id, self.restarts)


def job_env() -> JobEnv:
    """Job environment of this process, as submitit knows it."""
    import submitit

    job = submitit.JobEnvironment()
    # a local job that is started inside a requeued Slurm job inherits that one's count
    restarts = int(os.environ.get(RESTARTS, "0")) if on_slurm() else 0
    return JobEnv(job.job_id, restarts, job.node, list(job.hostnames))


def on_slurm() -> bool:
    """Whether this process is part of a Slurm job rather than of a local one."""
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def rendezvous(nodes: int) -> tuple[str, int]:
    """Host and port where the processes meet: from the batch script, or chosen here for one node.

    Raises:
        JobFailed: there are several nodes, of which each would choose its own.
    """
    if address := os.environ.get(RENDEZVOUS):
        host, _, port = address.rpartition(":")
        return host, int(port)
    if nodes > 1:
        raise JobFailed(f"{RENDEZVOUS} is not set on {socket.gethostname()}, one of {nodes} nodes")
    # all processes are on this machine, so that the port is tried where it will be used
    return "127.0.0.1", free_port()
