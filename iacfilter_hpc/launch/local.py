"""Local jobs: jobs on this machine, started through submitit's LocalExecutor."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import submitit

from iacfilter_hpc.config.slurm_options import Resources
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.slurm.environment import outside_any_job
from iacfilter_hpc.worker.worker import Worker


def start(folder: Path, worker: Worker, resources: Resources, *, gpus: int) -> str:
    """Start a job that outlives this process; its id is the process id of its controller.

    Raises:
        UsageError: one machine cannot be several nodes, or has fewer GPUs visible than asked for.
    """
    # all refusals come first: the executor makes its folder as soon as it is created
    if resources.nodes > 1:
        raise UsageError(
            f"--nodes {resources.nodes} needs Slurm; this machine is one node",
            hint="use --nodes 1, or --executor slurm",
        )
    visible = _visible_gpus()
    if visible is not None and gpus > len(visible):
        raise UsageError(
            f"--gpus {gpus}, but CUDA_VISIBLE_DEVICES shows {len(visible)}",
            hint=f"use --gpus {max(1, len(visible))}",
        )
    executor = submitit.LocalExecutor(folder)
    executor.update_parameters(
        timeout_min=resources.minutes,
        gpus_per_node=gpus,
        # one worker, as on each node of Slurm: accelerate launch starts a process a GPU
        tasks_per_node=1,
        # without it submitit hands out GPUs from 0 on, whatever CUDA_VISIBLE_DEVICES says
        **({"visible_gpus": visible} if visible else {}),
    )
    with outside_any_job(), _detached():
        job = executor.submit(worker)
    return str(job.job_id)


def _visible_gpus() -> list[int] | None:
    """CUDA_VISIBLE_DEVICES as numbers; None if it does not limit the choice.

    Raises:
        UsageError: it names GPUs in another way.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return None
    words = [word for word in listed.split(",") if word]
    # CUDA also takes UUIDs and MIG devices; submitit's visible_gpus are numbers alone
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"CUDA_VISIBLE_DEVICES={listed} holds more than numbers", hint="unset it")
    return [int(word) for word in words]


@contextmanager
def _detached() -> Iterator[None]:
    """Children started here ignore hang-ups and do not hold our stdout, a pipe perhaps."""
    # what is still in these buffers would go to /dev/null below
    sys.stdout.flush()
    sys.stderr.flush()
    # what a process ignores its children ignore too, also after exec (POSIX); a handler is lost
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    saved = [os.dup(1), os.dup(2)]
    # Popen gives a child our descriptors: $(iacfilter-submit ...) would wait for the job's end
    null = os.open(os.devnull, os.O_RDWR)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(null)
        signal.signal(signal.SIGHUP, hangup)
