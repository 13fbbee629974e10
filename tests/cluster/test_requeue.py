"""A run goes on after each way in which an attempt ends before it is finished, and only then."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.test_operations import processes_of
from tests.cluster.toolkit import Toolkit
from tests.cluster.trained import Trained


@pytest.fixture
def toolkit(slurm: Cluster, tmp_path: Path) -> Iterator[Toolkit]:
    yield Toolkit(slurm, tmp_path / "models")
    slurm.cancel_all()


@pytest.fixture
def toolkit_cgroup(slurm_cgroup: Cluster, tmp_path: Path) -> Iterator[Toolkit]:
    yield Toolkit(slurm_cgroup, tmp_path / "models")
    slurm_cgroup.cancel_all()


@pytest.fixture
def toolkit_linuxproc(slurm_linuxproc: Cluster, tmp_path: Path) -> Iterator[Toolkit]:
    yield Toolkit(slurm_linuxproc, tmp_path / "models")
    slurm_linuxproc.cancel_all()


def test_terminated(toolkit: Toolkit) -> None:
    """SIGTERM to the steps is what a preemption with GraceTime sends."""
    run = Trained(toolkit, "encoder")
    toolkit.cluster.run("scancel", "--signal=TERM", run.job_id)
    first = run.outcome(run.job_id)
    assert (first["state"], first["next"]) == ("DRAINED", "requeued")
    run.goes_on(f"{run.job_id}.1", first["saved"])


def test_scancel_is_the_end(toolkit: Toolkit) -> None:
    run = Trained(toolkit, "generative")
    toolkit.cluster.run("scancel", run.job_id)
    toolkit.wait("long", "CANCELLED")
    run.until(lambda: not processes_of(run.job_id), 30)
    assert not run.layout.outcome(f"{run.job_id}.1").exists()


def test_cancel_is_quick(toolkit_cgroup: Toolkit) -> None:
    toolkit = toolkit_cgroup
    run = Trained(toolkit, "generative")
    asked = time.monotonic()
    assert toolkit.run("cancel", "long").code == 0
    toolkit.wait("long", "CANCELLED")
    run.until(lambda: not processes_of(run.job_id), 30)
    took = time.monotonic() - asked
    assert took < 15, "it did not wait for a checkpoint"
    assert json.loads(run.layout.outcome(run.job_id).read_text())["state"] == "CANCELLED"


def test_killed_trainer(toolkit_cgroup: Toolkit) -> None:
    see_it_killed(toolkit_cgroup, "trainer")


@pytest.mark.parametrize("who", ["launcher", "worker"])
def test_killed(toolkit_linuxproc: Toolkit, who: str) -> None:
    """Slurm loses sight of what these leave behind."""
    see_it_killed(toolkit_linuxproc, who)


def see_it_killed(toolkit: Toolkit, who: str) -> None:
    run = Trained(toolkit, "generative")
    trainers = run.trainers()
    trainer = trainers[-1]
    launcher = trainer.parent()
    assert launcher is not None
    worker = launcher.parent()
    assert worker is not None
    victim = {"trainer": trainer, "launcher": launcher, "worker": worker}[who]
    os.kill(victim.pid, signal.SIGKILL)
    first = run.outcome(run.job_id)
    # trainers outlive their launcher, and then save as they are asked to
    ends = ("DRAINED", "") if who == "launcher" else ("FAILED", "killed")
    assert (first["state"], first["cause"], first["next"]) == (*ends, "requeued")
    run.until(lambda: run.layout.error_log(f"{run.job_id}.1").exists())
    assert not any(process.is_running() for process in trainers), "none trains on beside it"


def test_node_lost(toolkit_cgroup: Toolkit) -> None:
    """Slurm queues the job again by itself, and the run goes on elsewhere."""
    run, cluster = Trained(toolkit_cgroup, "encoder"), toolkit_cgroup.cluster
    run.until(lambda: list(run.layout.directory.glob("checkpoint-*/manifest.json")))
    node = run.node()
    try:
        cluster.kill_slurmd(node)
        for process in [*steps_of(run.job_id), *processes_of(run.job_id)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        run.goes_on(f"{run.job_id}.1", 1)
        assert run.node() != node
    finally:
        cluster.start_slurmd(node)
        cluster.cancel_all()
        cluster.wait_ready()


def steps_of(job_id: str) -> list[psutil.Process]:
    """The slurmstepd processes of a job."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended since
            words = process.cmdline()
            if words and words[0].startswith("slurmstepd") and f"[{job_id}." in " ".join(words):
                found.append(process)
    return found


def test_new_job_where_requeueing_is_off(toolkit_linuxproc: Toolkit) -> None:
    toolkit = toolkit_linuxproc
    run = Trained(toolkit, "encoder")
    cluster = toolkit.cluster
    waiting = cluster.run(
        *("sbatch", "--parsable", f"--dependency=afterok:{run.job_id}", "--output=/dev/null"),
        "--wrap=true",
    ).stdout.strip()
    cluster.run("scontrol", "update", f"JobId={run.job_id}", "Requeue=0")
    cluster.run("scancel", "--signal=TERM", run.job_id)
    first = run.outcome(run.job_id, is_requeued=False)
    assert first["state"] == "DRAINED"
    assert first["next"].isdecimal()
    run.goes_on(first["next"], first["saved"])
    shown = cluster.run("scontrol", "--oneliner", "show", "job", waiting).stdout
    assert f"Dependency=afterok:{first['next']}(unfulfilled)" in shown
    assert toolkit.status("long")["job_id"] == first["next"]
    assert toolkit.status("long")["state"] == "RUNNING"
