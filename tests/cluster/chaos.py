"""Kill processes of a run at random moments until it has had enough: python -m tests.cluster.chaos.

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
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from tests.cluster.cells import resumed_at, step_of, wait_until, weights
from tests.cluster.cluster import Cluster
from tests.cluster.toolkit import Toolkit

TARGETS = ("rank", "launcher", "step")
EPOCHS = 500
"""Enough for fifty kills."""
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True)
class Kill:
    """One kill: of what, at which step, and the newest checkpoint that was published then."""

    target: str
    step: int
    checkpoint: int
    log_of_next: Path

    @property
    def resumed(self) -> int:
        """The step that the next attempt went on from; -1 if it was killed before it said so."""
        found = resumed_at(self.log_of_next)
        return -1 if found is None else found


@dataclass(frozen=True)
class Survived:
    """What a run went through; `is_equal` if it ended with the weights of its twin."""

    kills: tuple[Kill, ...]
    attempts: int
    seconds: float
    is_equal: bool

    @property
    def forgotten(self) -> list[Kill]:
        """Kills after which the run went on from an earlier checkpoint than the newest."""
        return [kill for kill in self.kills if 0 <= kill.resumed < kill.checkpoint]

    def __str__(self) -> str:
        targets = Counter(kill.target for kill in self.kills)
        lost = [kill.step - kill.resumed for kill in self.kills if kill.resumed >= 0]
        return (
            f"{len(self.kills)} kills ({', '.join(f'{n} x {t}' for t, n in targets.items())}), "
            f"{self.attempts} attempts, {self.seconds:.0f} s\n"
            f"steps made again after a kill: at most {max(lost, default=0)}; "
            f"went on from an older checkpoint than the newest: {len(self.forgotten)}\n"
            f"weights equal to those of a run left alone: {'yes' if self.is_equal else 'NO'}"
        )


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
    is_good = survived.is_equal and not survived.forgotten and len(survived.kills) == kills
    sys.exit(0 if is_good else "the run did not survive as it should")


def run_chaos(toolkit: Toolkit, kills: int, seed: int, epochs: int) -> Survived:
    """A run that is killed so many times, and its twin."""
    submit(toolkit, "twin", epochs)
    toolkit.wait("twin", "COMPLETED", timeout=900)
    chance, done = random.Random(seed), list[Kill]()
    started = time.monotonic()
    job_id = submit(toolkit, "chaos", epochs)
    directory = toolkit.directory("chaos")
    for number in range(kills):
        log = log_of(directory, job_id, number)
        before = max(0, step_of(directory))
        wait_until(log.exists, toolkit, "chaos")
        if chance.random() < 0.9:  # else while it still loads
            wait_until(partial(has_gone_on, directory, before), toolkit, "chaos")
        time.sleep(chance.random() * LONGEST_WAIT_S)
        done.append(
            Kill(
                target=chance.choice(TARGETS),
                step=step_of(directory),
                checkpoint=newest_checkpoint(directory),
                log_of_next=log_of(directory, job_id, number + 1),
            )
        )
        if not kill(toolkit, job_id, done[-1].target, chance):
            done.pop()  # it is finished
            break
        print(f"{number + 1}: {done[-1].target} at step {done[-1].step}", flush=True)
    toolkit.wait("chaos", "COMPLETED", timeout=600)
    return Survived(
        kills=tuple(done),
        attempts=len(list(directory.glob("slurm/*_0_log.err"))),
        seconds=round(time.monotonic() - started, 1),
        is_equal=weights(toolkit, "chaos") == weights(toolkit, "twin"),
    )


def log_of(directory: Path, job_id: str, number: int) -> Path:
    """Standard error of one of the job's attempts, counted from 0."""
    return directory / "slurm" / f"{job_id}{f'.{number}' if number else ''}_0_log.err"


def newest_checkpoint(directory: Path) -> int:
    """The step of the newest checkpoint that has been published; 0 if there is none."""
    found = directory.glob("checkpoint-*/manifest.json")
    return max((int(path.parent.name.partition("-")[2]) for path in found), default=0)


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
            # of the step: KILL for a whole job is how a person cancels it
            toolkit.cluster.run("scancel", "--signal=KILL", f"{job_id}.0", check=False)
            return True
        if found := processes(job_id, target):
            with suppress(psutil.NoSuchProcess):  # it has just ended: try again
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
