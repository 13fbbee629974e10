"""Kill processes of a run at random moments until it has had enough: python -m tests.slurm.chaos.

Arguments: how many kills (50), and the seed (0). What is killed is a rank, a launcher, or all
processes of the job's step; when is any moment between the start of an attempt and well into its
training, saves included: an epoch has two steps, and each epoch is saved.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from .cells import step_of, wait_until, weights
from .cluster import Cluster
from .toolkit import Toolkit

TARGETS = ("rank", "launcher", "step")
EPOCHS = 400
"""Enough for fifty kills."""
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True)
class Survived:
    """What a run went through; `is_equal` if it ended with the weights of its twin."""

    kills: dict[str, int]
    attempts: int
    seconds: float
    is_equal: bool


def main() -> None:
    """Run it under proctrack/cgroup, and say what came of it."""
    kills, seed = (int(word) for word in [*sys.argv[1:], *("50", "0")[len(sys.argv) - 1 :]])
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as root,
        tempfile.TemporaryDirectory(prefix="models-") as models,
        Cluster(Path(root) / "c", "cgroup") as cluster,
    ):
        toolkit = Toolkit(cluster, Path(models) / "models")
        survived = run_chaos(toolkit, kills, seed, EPOCHS)
    print(survived)
    sys.exit(0 if survived.is_equal else "the weights differ from those of a run left alone")


def run_chaos(toolkit: Toolkit, kills: int, seed: int, epochs: int) -> Survived:
    """A run that is killed so many times, and its twin."""
    submit(toolkit, "twin", epochs)
    toolkit.wait("twin", "COMPLETED", timeout=300)
    chance, done = random.Random(seed), Counter[str]()
    started = time.monotonic()
    job_id = submit(toolkit, "chaos", epochs)
    directory = toolkit.directory("chaos")
    for number in range(kills):
        log = directory / "slurm" / f"{job_id}{f'.{number}' if number else ''}_0_log.err"
        before = max(0, step_of(directory))
        wait_until(log.exists, toolkit, "chaos")
        if chance.random() < 0.9:  # else while it still loads
            wait_until(partial(has_gone_on, directory, before), toolkit, "chaos")
        time.sleep(chance.random() * LONGEST_WAIT_S)
        target = chance.choice(TARGETS)
        if not kill(toolkit, job_id, target, chance):
            break  # it is finished
        done[target] += 1
    toolkit.wait("chaos", "COMPLETED", timeout=600)
    return Survived(
        kills=dict(done),
        attempts=len(list(directory.glob("slurm/*_0_log.err"))),
        seconds=round(time.monotonic() - started, 1),
        is_equal=weights(toolkit, "chaos") == weights(toolkit, "twin"),
    )


def has_gone_on(directory: Path, step: int) -> bool:
    return step_of(directory) > step


def submit(toolkit: Toolkit, name: str, epochs: int) -> str:
    return toolkit.submit(
        "generative",
        name,
        "--gpus=2",
        "--set=accelerate.num_processes=2",
        "--set=lora.lora_dropout=0.2",
        "--set=requeue.limit=1000",
        f"--num-epochs={epochs}",
        "--batch-size=2",
    )


def kill(toolkit: Toolkit, job_id: str, target: str, chance: random.Random) -> bool:
    """Kill one process, or the whole step; False once there is nothing left to kill."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if toolkit.cluster.job_state(job_id) in (None, "COMPLETED"):
            return False
        if target == "step":
            toolkit.cluster.run("scancel", "--signal=KILL", job_id, check=False)
            return True
        if found := processes(job_id, target):
            chance.choice(found).kill()
            return True
        time.sleep(0.05)
    raise AssertionError(f"no {target} of job {job_id} in a minute\n{toolkit.log('chaos')}")


def processes(job_id: str, target: str) -> list[psutil.Process]:
    """The job's training processes, or their launchers."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if process.environ().get("SLURM_JOB_ID") != job_id:
                continue
        except psutil.Error:
            continue
        is_launcher = any(word.endswith("jobs/launch.py") for word in words)
        if target == "launcher" and is_launcher:
            found.append(process)
        if target == "rank" and not is_launcher and any(w.endswith("train.py") for w in words):
            found.append(process)
    return sorted(found, key=lambda process: process.pid)


if __name__ == "__main__":
    main()
