"""iacfilter_hpc.launch.status: every way in which a run's state is known, or is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from iacfilter_hpc.launch.status import RunState, status_report
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from tests.fake_slurm import FakeSlurm
from tests.made_runs import MadeRuns


def only(layout: RunLayout) -> RunState:
    """The state of one run about which nothing is in doubt."""
    found = status_report([layout])
    assert found.problems == []
    return found.states[0]


def test_squeue_tells_of_a_live_job(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    fake_slurm.queue(("7", "mine", "RUNNING", "None", "1:02", "3:04", "gpu1", "2026-01-02"))
    state = only(layout)
    assert (state.state, state.reason, state.nodes) == ("RUNNING", "", "gpu1")
    assert (state.elapsed, state.left, state.start) == ("1:02", "3:04", "")
    assert not state.ended
    assert fake_slurm.calls("sacct") == 0


def test_squeue_tells_when_and_why_a_job_waits(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    fake_slurm.queue(("7", "mine", "PENDING", "Priority", "0:00", "4:00", "", "2026-01-02T03:04"))
    state = only(layout)
    assert (state.state, state.reason, state.start) == ("PENDING", "Priority", "2026-01-02T03:04")


@pytest.mark.parametrize("told", ["FAILED", "COMPLETED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"])
def test_squeue_tells_how_a_job_ended(fake_slurm: FakeSlurm, made: MadeRuns, told: str) -> None:
    layout = made.run("mine")
    made.job(layout)
    fake_slurm.queue(("7", "mine", told, "NonZeroExitCode", "1:02", "3:04", "gpu1"))
    state = only(layout)
    assert (state.state, state.reason, state.left) == (told, "NonZeroExitCode", "")
    assert state.ended


def test_the_job_itself_says_best_why_it_ended(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    made.outcome(layout, "FAILED", "train.py ended with exit code 1")
    fake_slurm.queue(("7", "mine", "FAILED", "NonZeroExitCode", "1:02"))
    assert only(layout).reason == "train.py ended with exit code 1"


def test_slurm_knows_better_what_sigterm_meant(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    made.outcome(layout, "CANCELLED", "stopped by SIGTERM")
    fake_slurm.queue(("7", "mine", "TIMEOUT", "TimeLimit", "1:02"))
    state = only(layout)
    assert (state.state, state.reason) == ("TIMEOUT", "TimeLimit")


@pytest.mark.parametrize("told", ["COMPLETED", "FAILED"])
def test_a_forgotten_job_tells_itself(fake_slurm: FakeSlurm, made: MadeRuns, told: str) -> None:
    layout = made.run("mine")
    made.job(layout)
    made.outcome(layout, told, "why")
    state = only(layout)
    assert (state.state, state.reason, state.nodes) == (told, "why", "gpu1,gpu2")
    assert state.elapsed == "1:01:07"
    assert state.ended
    assert fake_slurm.calls("sacct") == 0


def test_a_forgotten_cancelled_job_without_accounting(
    fake_slurm: FakeSlurm, made: MadeRuns
) -> None:
    layout = made.run("mine")
    made.job(layout)
    made.outcome(layout, "CANCELLED", "stopped by SIGTERM")
    fake_slurm.says("sacct", stderr="disabled\n", code=1)
    state = only(layout)
    assert (state.state, state.reason) == ("CANCELLED", "stopped by SIGTERM")


@pytest.mark.parametrize("told", ["TIMEOUT", "PREEMPTED", "CANCELLED by 1000"])
def test_sacct_says_what_sigterm_meant(fake_slurm: FakeSlurm, made: MadeRuns, told: str) -> None:
    layout = made.run("mine")
    made.job(layout)
    made.outcome(layout, "CANCELLED", "stopped by SIGTERM")
    fake_slurm.accounts(f"7|mine|{told}|01:00:00|gpu1|0:0")
    assert only(layout).state == told.split()[0]


def test_sacct_tells_of_a_job_that_could_not(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    fake_slurm.accounts("7|mine|OUT_OF_MEMORY|01:00:00|gpu1|0:125")
    state = only(layout)
    assert (state.state, state.reason, state.elapsed) == ("OUT_OF_MEMORY", "exit 0:125", "01:00:00")


def test_what_none_of_them_knows_is_unknown(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    state = only(layout)
    assert state.state == "UNKNOWN"
    assert state.reason == "neither squeue, its own files nor sacct know it"
    assert not state.ended


def test_a_job_id_that_was_given_again_is_not_ours(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    fake_slurm.queue(("7", "another", "RUNNING"))
    fake_slurm.accounts("7|another|COMPLETED|01:00:00|gpu1|0:0")
    assert only(layout).state == "UNKNOWN"
    made.outcome(layout, "FAILED", "why")
    assert only(layout).state == "FAILED"


def test_a_job_that_was_not_noted_is_found_by_name(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    fake_slurm.queue(("9", "mine", "PENDING", "Resources"))
    state = only(layout)
    assert (state.state, state.reason) == ("PENDING", "Resources")
    assert state.job
    assert state.job.job_id == "9"


def test_a_run_without_a_job(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    state = only(made.run("mine"))
    assert (state.state, state.reason, state.job) == ("UNKNOWN", "no job is recorded", None)


def test_the_newest_job_counts(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout, "7")
    made.outcome(layout, "COMPLETED", job_id="7")
    made.job(layout, "8", submitted_at="2026-01-03T00:00:00Z")
    fake_slurm.queue(("8", "mine", "RUNNING"), ("7", "mine", "COMPLETED"))
    state = only(layout)
    assert state.job
    assert (state.job.job_id, state.state) == ("8", "RUNNING")


def test_states_are_told_though_squeue_fails(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    ended, lost = made.run("ended"), made.run("lost")
    made.job(ended)
    made.outcome(ended, "COMPLETED")
    made.job(lost, "8")
    fake_slurm.says("squeue", stderr="Unable to contact slurm controller\n", code=1)
    found = status_report([ended, lost])
    assert found.problems == ["squeue failed: Unable to contact slurm controller"]
    assert [state.state for state in found.states] == ["COMPLETED", "UNKNOWN"]


def test_an_answer_of_squeue_that_cannot_be_read_is_told(
    fake_slurm: FakeSlurm, made: MadeRuns
) -> None:
    made.job(made.run("mine"))
    fake_slurm.says("squeue", stdout="Welcome to the cluster\n")
    found = status_report([RunLayout(made.models / "encoder" / "mine")])
    assert found.problems == ["squeue gave an answer that cannot be read: 'Welcome to the cluster'"]
    assert [state.state for state in found.states] == ["UNKNOWN"]


def test_a_state_that_is_new_to_us_is_unknown_and_told(
    fake_slurm: FakeSlurm, made: MadeRuns
) -> None:
    layout = made.run("mine")
    made.job(layout)
    fake_slurm.queue(("7", "mine", "DREAMING", "None", "1:02"))
    state = only(layout)
    assert (state.state, state.reason) == ("UNKNOWN", "Slurm says DREAMING")
    assert not state.ended


def test_only_slurm_knows_of_a_job_that_was_requeued(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    outcome = made.outcome(layout, "FAILED", "its processes were killed")
    records.write_record(layout.outcome("7"), replace(outcome, next="requeued"))
    fake_slurm.accounts("7|mine|CANCELLED by 1000|01:00:00|gpu1|0:0")
    assert only(layout).state == "CANCELLED"


def test_one_damaged_run_does_not_hide_the_others(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layouts = [made.run(name) for name in ("record", "job", "outcome", "good")]
    for layout in layouts:
        made.job(layout)
        made.outcome(layout, "COMPLETED")
    layouts[0].record.write_text("{")
    layouts[1].job("7").write_text("[]")
    layouts[2].outcome("7").write_text('{"new": 1}')
    found = status_report(layouts)
    assert [state.state for state in found.states] == [
        *("COMPLETED", "UNKNOWN", "UNKNOWN", "COMPLETED")
    ]
    assert len(found.problems) == 3
    for problem, name in zip(
        sorted(found.problems), ("7_job.json", "7_outcome.json", "run.json"), strict=True
    ):
        assert name in problem


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 99}'])
def test_one_damaged_local_run_does_not_hide_the_others(
    no_slurm: None, made: MadeRuns, text: str
) -> None:
    layouts = [made.run(name) for name in ("outcome", "job", "good")]
    for layout in layouts:
        made.job(layout, executor="local")
        made.outcome(layout, "COMPLETED")
    layouts[0].outcome("7").write_text(text)
    layouts[1].job("7").write_text(text)
    found = status_report(layouts)
    assert [(state.state, state.reason) for state in found.states[:2]] == [
        ("UNKNOWN", "its process is gone"),
        ("UNKNOWN", "its job record cannot be read"),
    ]
    assert found.states[2].state == "COMPLETED"
    assert [name in " ".join(found.problems) for name in ("7_outcome.json", "7_job.json")] == [
        *(True, True)
    ]
    # and squeue, which is asked about a run whose job is not known
    assert len(found.problems) == 3


def test_a_hundred_runs_cost_one_call_each(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layouts = [made.run(f"run-{number}") for number in range(100)]
    for number, layout in enumerate(layouts):
        made.job(layout, str(number + 1))
    fake_slurm.queue(*((str(n + 1), f"run-{n}", "RUNNING") for n in range(50)))
    fake_slurm.accounts(*(f"{n + 1}|run-{n}|TIMEOUT|1:00|gpu1|0:0" for n in range(50, 100)))
    states = status_report(layouts).states
    assert [state.state for state in states] == ["RUNNING"] * 50 + ["TIMEOUT"] * 50
    assert (fake_slurm.calls("squeue"), fake_slurm.calls("sacct")) == (1, 1)


@pytest.fixture
def controller(made: MadeRuns) -> Iterator[tuple[RunLayout, subprocess.Popen[bytes]]]:
    """A run, and a process with the command line of its job's controller."""
    layout = made.run("mine")
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)", str(layout.slurm)]
    with subprocess.Popen(sleeping) as process:
        made.job(layout, str(process.pid), executor="local")
        yield layout, process
        process.kill()


def test_a_local_job_lives_as_long_as_its_process(
    no_slurm: None, controller: tuple[RunLayout, subprocess.Popen[bytes]]
) -> None:
    layout, process = controller
    assert (only(layout).state, only(layout).reason) == ("RUNNING", "")
    process.kill()
    process.wait()
    assert (only(layout).state, only(layout).reason) == ("UNKNOWN", "its process is gone")


def test_a_local_job_that_has_ended_tells_itself(no_slurm: None, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout, executor="local")
    made.outcome(layout, "CANCELLED", "stopped by SIGINT")
    assert (only(layout).state, only(layout).reason) == ("CANCELLED", "stopped by SIGINT")


def test_a_local_job_of_another_machine(no_slurm: None, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout, "1", executor="local", host="elsewhere")
    state = only(layout)
    assert (state.state, state.reason, state.nodes) == (
        *("UNKNOWN", "runs on elsewhere, ask there", "elsewhere"),
    )


def test_a_process_id_that_was_given_again_is_not_ours(no_slurm: None, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout, "1", executor="local")
    assert only(layout).state == "UNKNOWN"


def test_squeue_is_not_asked_about_local_jobs(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout, "1", executor="local")
    status_report([layout])
    assert fake_slurm.calls("squeue") == 0
