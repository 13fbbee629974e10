"""iacfilter-cancel: only live jobs, and only those of the run."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.cli.commands import iacfilter
from tests.fake_slurm import FakeSlurm
from tests.made_runs import MadeRuns

AWAY = "Unable to contact slurm controller (connect failure)"


def test_live_jobs_are_cancelled_by_id_and_name(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    made.job(made.run("mine"))
    fake_slurm.queue(
        ("6", "mine", "COMPLETED"), ("7", "mine", "RUNNING"), ("9", "other", "RUNNING")
    )
    done = iacfilter("cancel", "mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Cancelled 7: mine\n", "")
    assert fake_slurm.arguments("scancel") == ["--name=mine", "7"]


def test_a_job_that_was_not_noted_is_cancelled(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    made.run("mine")
    fake_slurm.queue(("9", "mine", "PENDING"))
    done = iacfilter("cancel", "mine", "--json")
    assert json.loads(done.stdout) == {"schema": 1, "cancelled": {"mine": ["9"]}}


def test_without_a_live_job_nothing_is_done(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    made.job(made.run("mine"))
    fake_slurm.queue(("7", "another", "RUNNING"))
    done = iacfilter("cancel", "mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "mine has no live job\n")
    assert fake_slurm.calls("scancel") == 0


def test_if_any_run_is_unknown_none_is_cancelled(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    made.job(made.run("mine"))
    fake_slurm.queue(("7", "mine", "RUNNING"))
    done = iacfilter("cancel", "mine", "typo")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no run typo under ")
    assert fake_slurm.calls("scancel") == 0


def test_a_controller_that_does_not_answer(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    made.job(made.run("mine"))
    fake_slurm.says("squeue", stderr=f"{AWAY}\n", code=1)
    done = iacfilter("cancel", "mine")
    assert (done.returncode, done.stderr) == (3, f"error: squeue failed: {AWAY}\n")


def test_a_cancellation_that_fails_is_forgotten(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    """A later preemption of the job would be taken for it, and nothing saved."""
    layout = made.run("mine")
    made.job(layout)
    fake_slurm.queue(("7", "mine", "RUNNING"))
    fake_slurm.says("scancel", stderr=f"scancel: error: Kill job error: {AWAY}\n", code=1)
    assert iacfilter("cancel", "mine").returncode == 3
    assert not layout.cancelled("7").exists()


def test_a_local_job_is_asked_to_end(no_slurm: None, made: MadeRuns) -> None:
    layout = made.run("mine")
    command = [sys.executable, "-c", "import time; time.sleep(60)", str(layout.slurm)]
    with subprocess.Popen(command) as process:
        made.job(layout, str(process.pid), executor="local")
        done = iacfilter("cancel", "mine")
        assert (done.returncode, done.stdout) == (0, f"Cancelled {process.pid}: mine\n")
        assert process.wait(timeout=20) == -15
    assert iacfilter("cancel", "mine").stderr == "mine has no live job\n"


def test_it_wants_a_run() -> None:
    assert iacfilter("cancel").returncode == 2


def test_a_job_that_was_not_noted_is_asked_to_save(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    fake_slurm.queue(("9", "mine", "RUNNING"))
    done = iacfilter("cancel", "mine", "--drain", "--json")
    assert json.loads(done.stdout) == {"schema": 1, "asked": {"mine": ["9"]}}
    assert layout.drain.exists()


def test_a_run_of_no_job_is_none_of_slurms_where_there_is_no_slurm(
    no_slurm: None, made: MadeRuns
) -> None:
    made.run("mine")
    done = iacfilter("cancel", "mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "mine has no live job\n")
