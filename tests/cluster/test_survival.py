"""A rehearsal, a run resumed by hand, a controller that is away, and kills at random moments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cells import resumed_at, step_of, wait_until, weights
from tests.cluster.chaos import run_chaos
from tests.cluster.cluster import Cluster
from tests.cluster.test_operations import LONG
from tests.cluster.toolkit import Toolkit

AWAY_S = 20


@pytest.fixture
def toolkit(slurm_cgroup: Cluster, tmp_path: Path) -> Iterator[Toolkit]:
    yield Toolkit(slurm_cgroup, tmp_path / "models")
    slurm_cgroup.cancel_all()


def test_rehearsal(toolkit: Toolkit) -> None:
    options = ("--rehearse", "--preempt-with=high", "--name=try")
    done = toolkit.run("submit", "--approach=encoder", *options, timeout=300)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "Survives: nothing was lost"
    assert [line.partition(":")[0].strip() for line in lines[1:4]] == [
        "drain file",
        "SIGTERM to its steps",
        "a job of high",
    ]
    assert lines[4] == ("  final weights of try-cut are equal to those of try-twin, bit for bit")


def test_resumed_by_hand(toolkit: Toolkit) -> None:
    job_id = toolkit.submit("encoder", "mine", *LONG)
    directory = toolkit.directory("mine")
    wait_until(lambda: (directory / "checkpoint-4").exists(), toolkit, "mine")
    assert toolkit.run("cancel", "mine").code == 0
    toolkit.wait("mine", "CANCELLED")
    again = toolkit.run("submit", "--resume=mine", "--time=00:05:00", "--json")
    assert again.code == 0, again.err
    new = str(again.json["job_id"])
    assert (new != job_id, again.json["step"] >= 4) == (True, True)
    log = directory / "slurm" / f"{new}_0_log.err"
    wait_until(lambda: resumed_at(log) is not None, toolkit, "mine")
    refused = toolkit.run("submit", "--resume=mine")
    assert (refused.code, refused.err.splitlines()[0]) == (2, f"error: job {new} of mine is alive")


def test_controller_away_while_a_run_requeues(toolkit: Toolkit) -> None:
    """What is done without it waits for it."""
    job_id = toolkit.submit("encoder", "mine", *LONG)
    directory = toolkit.directory("mine")
    wait_until(lambda: step_of(directory) > 3, toolkit, "mine")
    toolkit.cluster.stop_controller()
    try:
        (directory / "drain").touch()
        drained = directory / "slurm" / f"{job_id}_drained.json"
        deadline = time.monotonic() + 60
        while not drained.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(AWAY_S)
    finally:
        toolkit.cluster.start_controller()
    log = directory / "slurm" / f"{job_id}.1_0_log.err"
    wait_until(lambda: resumed_at(log) is not None, toolkit, "mine")


def test_kills_at_random_moments(toolkit: Toolkit) -> None:
    survived = run_chaos(toolkit, kills=2, seed=6, epochs=50)
    assert survived.is_equal, survived
    assert len(survived.kills) == 2
    assert not survived.forgotten, survived
    assert survived.attempts == 3
    assert weights(toolkit, "chaos")
