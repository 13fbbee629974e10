"""iacfilter_hpc.worker.after_step: what a batch script does once its attempt has ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.slurm import retry
from iacfilter_hpc.worker import after_step
from tests.fake_slurm import SEPARATOR, FakeSlurm
from tests.made_runs import MadeRuns

RUNNING = "JobId=7 JobName=mine JobState=RUNNING JobReason=None Requeue=1 Restarts=0\n"
REFUSED = "Requested operation is presently disabled for job 7"


@pytest.fixture(autouse=True)
def same_signals() -> Iterator[None]:
    """The batch script's last command ignores SIGTERM; what this process starts later must not."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody ends this process after a requeue, as Slurm would."""
    monkeypatch.setattr(after_step, "KILL_S", 0)
    monkeypatch.setattr(after_step, "ACCOUNTED_S", 0.3)
    monkeypatch.setattr(retry, "ASK_AGAIN_S", 0.1)
    monkeypatch.setattr(retry, "AWAY_S", 0.25)


@pytest.fixture
def run(made: MadeRuns, fake_slurm: FakeSlurm) -> RunLayout:
    """A run whose job 7 is running, and may be requeued."""
    layout = made.run("mine")
    made.job(layout, "7")
    (layout.slurm / "7_submission.sh").write_text("#!/bin/bash\n")
    (layout.slurm / "7_submitted.pkl").write_bytes(b"a pickle")
    layout.drain.touch()
    fake_slurm.says("scontrol --oneliner", stdout=RUNNING)
    fake_slurm.says("sbatch", stdout="90\n")
    return layout


@pytest.fixture
def ended(run: RunLayout) -> Callable[..., None]:
    """Notes how an attempt of job 7 ended, as its worker does."""

    def note(
        state: str,
        cause: str = "",
        *,
        restarts: int = 0,
        step: int | None = None,
        saved: int = 0,
        nodes: list[str] | None = None,
        hours_ago: float = 0,
    ) -> None:
        at = (datetime.now(UTC) - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        outcome = records.Outcome(
            job_id="7",
            restarts=restarts,
            state=state,
            exit_code=0 if state in ("COMPLETED", "DRAINED") else 1,
            message="how it ended",
            cause=cause,
            step=step,
            saved=saved,
            started_at=at,
            ended_at=at,
            nodes=nodes or ["gpu1"],
        )
        records.write_record(run.outcome(outcome.attempt), outcome)

    return note


Ended = Callable[..., None]


def follow(
    run: RunLayout, code: int, restarts: int = 0, limit: int = 20, known: int | None = None
) -> int:
    """The exit code of the batch script's last command; `known` restarts are what Slurm tells."""
    now = restarts if known is None else known
    said = Path(os.environ["PATH"].split(":")[0]).parent / "scontrol --oneliner.stdout"
    said.write_text(re.sub(r"Restarts=\d+", f"Restarts={now}", said.read_text()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_JOB_ID", "7")
        if restarts:
            patch.setenv("SLURM_RESTART_COUNT", str(restarts))
        flags = [f"--code={code}", f"--limit={limit}", "--exclude-hours=4.0"]
        patch.setattr(sys, "argv", ["afterwards", str(run.directory), *flags])
        return after_step.main()


def outcome(run: RunLayout, attempt: str = "7") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run.outcome(attempt).read_text())
    return found


def acted(fake_slurm: FakeSlurm) -> list[list[str]]:
    """What was asked of scontrol beyond the state of a job."""
    return [words for words in fake_slurm.commands("scontrol") if words[0] != "--oneliner"]


def test_a_drained_job_is_requeued(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    ended("DRAINED", saved=9)
    assert follow(run, 0) == 0
    assert acted(fake_slurm) == [["requeue", "7"]]
    assert fake_slurm.calls("sbatch") == 0
    found = outcome(run)
    assert (found["state"], found["next"]) == ("DRAINED", "requeued")
    assert found["why"] == "it saved and stopped as asked"
    assert not run.drain.exists()
    assert capsys.readouterr().err == ("attempt 7: DRAINED, again: it saved and stopped as asked\n")


def test_a_later_attempt_is_requeued_too(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm
) -> None:
    ended("DRAINED", saved=9)
    ended("FAILED", "killed", restarts=1, saved=9)
    assert follow(run, 1, restarts=1) == 0
    assert acted(fake_slurm) == [["requeue", "7"]]
    assert outcome(run, "7.1")["next"] == "requeued"
    assert outcome(run)["next"] == ""


def test_an_attempt_whose_worker_wrote_nothing_was_killed(
    run: RunLayout, fake_slurm: FakeSlurm
) -> None:
    (run.directory / "checkpoint-12").mkdir()
    assert follow(run, 137, restarts=3) == 0
    assert acted(fake_slurm) == [["requeue", "7"]]
    found = outcome(run, "7.3")
    assert (found["state"], found["cause"], found["saved"]) == ("FAILED", "killed", 12)
    assert (found["job_id"], found["restarts"], found["next"]) == ("7", 3, "requeued")


def test_a_kill_that_slurm_noted_as_one_for_memory(run: RunLayout, fake_slurm: FakeSlurm) -> None:
    for restarts in (0, 1):
        attempt = f"7.{restarts}" if restarts else "7"
        said = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.\n"
        run.error_log(attempt).write_text(said)
        assert follow(run, 137, restarts=restarts) == (1 if restarts else 0)
        assert outcome(run, attempt)["cause"] == "memory"
    assert acted(fake_slurm) == [["requeue", "7"]]
    assert outcome(run, "7.1")["why"].startswith("memory ran out before the first step again")


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED", "PENDING", "UNKNOWN"])
def test_a_job_that_slurm_has_taken_back_is_left_to_it(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, state: str
) -> None:
    said = "" if state == "UNKNOWN" else RUNNING.replace("RUNNING", state)
    fake_slurm.says("scontrol --oneliner", stdout=said)
    ended("DRAINED")
    assert follow(run, 0) == 0
    assert acted(fake_slurm) == []
    assert fake_slurm.calls("sbatch") == 0
    assert (outcome(run)["next"], outcome(run)["why"]) == ("", f"Slurm says {state}")
    assert run.drain.exists()


@pytest.mark.parametrize("end", ["TIMEOUT", "PREEMPTED"])
def test_a_job_that_slurm_ends_for_good_becomes_a_new_one(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, end: str
) -> None:
    """PreemptMode=CANCEL, or a limit that was met while saving."""
    fake_slurm.says("scontrol --oneliner", stdout=RUNNING.replace("RUNNING", "COMPLETING"))
    fake_slurm.accounts(f"7|mine|{end}|00:01:00|gpu1|0:15")
    ended("DRAINED", saved=9)
    assert follow(run, 0) == os.EX_TEMPFAIL
    assert acted(fake_slurm) == [["release", "90"]]
    assert (outcome(run)["next"], outcome(run)["why"]) == ("90", "it saved and stopped as asked")


@pytest.mark.parametrize("end", ["CANCELLED by 1000", "PENDING", "RUNNING"])
def test_a_job_that_a_person_ends_or_slurm_requeues_does_not(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, end: str
) -> None:
    fake_slurm.says("scontrol --oneliner", stdout=RUNNING.replace("RUNNING", "COMPLETING"))
    fake_slurm.accounts(f"7|mine|{end}|00:01:00|gpu1|0:15")
    ended("DRAINED", saved=9)
    assert follow(run, 0) == 0
    assert fake_slurm.calls("sbatch") == 0
    says = "CANCELLED" if end.startswith("CANCELLED") else "COMPLETING"
    assert (outcome(run)["next"], outcome(run)["why"]) == ("", f"Slurm says {says}")


def test_where_the_new_job_cannot_be_prepared_there_is_none(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_slurm.says("scontrol requeue", stderr=REFUSED, code=1)
    (run.slurm / "7_submitted.pkl").unlink()
    ended("DRAINED", saved=9)
    assert follow(run, 0) == 1
    assert fake_slurm.commands("scancel") == [["90"]]
    assert outcome(run)["next"] == ""
    assert "No such file or directory" in outcome(run)["why"]
    assert "Traceback" not in capsys.readouterr().err


def test_a_time_limit_is_known_without_accounting(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm
) -> None:
    said = RUNNING.replace("RUNNING JobReason=None", "COMPLETING JobReason=TimeLimit")
    fake_slurm.says("scontrol --oneliner", stdout=said)
    ended("DRAINED", saved=9)
    assert follow(run, 0) == os.EX_TEMPFAIL
    assert outcome(run)["next"] == "90"
    assert fake_slurm.calls("sacct") == 0


def test_another_attempt_of_the_job_is_left_alone(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm
) -> None:
    """The node was lost and has come back; Slurm has started the job elsewhere meanwhile."""
    ended("DRAINED", saved=9)
    assert follow(run, 0, known=1) == 0
    assert acted(fake_slurm) == []
    assert outcome(run)["why"] == "Slurm says that it has started the job again"


def test_a_killed_worker_does_not_hide_what_its_processes_said(
    run: RunLayout, fake_slurm: FakeSlurm
) -> None:
    failure = {"schema": 1, "attempt": "7", "rank": 3, "node": "n1", "kind": "error", "type": "E"}
    failure |= {"step": 3, "message": "no such column"}
    run.failure("7", 3).write_text(json.dumps(failure))
    assert follow(run, 137) == 1
    found = outcome(run)
    assert (found["cause"], found["step"], found["message"]) == ("error", 3, "no such column")
    assert acted(fake_slurm) == []


@pytest.mark.parametrize(
    ("state", "cause", "code", "expected"),
    [
        ("COMPLETED", "", 0, 0),
        ("COMPLETED", "", 9, 9),
        ("CANCELLED", "", 1, 1),
        ("FAILED", "error", 1, 1),
        ("FAILED", "exception", 0, 1),
    ],
)
def test_what_is_not_gone_on_with_ends_the_job(
    run: RunLayout,
    ended: Ended,
    fake_slurm: FakeSlurm,
    state: str,
    cause: str,
    code: int,
    expected: int,
) -> None:
    ended(state, cause)
    assert follow(run, code) == expected
    assert acted(fake_slurm) == []
    assert fake_slurm.calls("sbatch") == 0
    assert outcome(run)["next"] == ""
    assert outcome(run)["why"]


def test_the_limit_counts_the_attempts_of_all_jobs(
    run: RunLayout, ended: Ended, made: MadeRuns, fake_slurm: FakeSlurm
) -> None:
    made.outcome(run, "DRAINED", job_id="3")
    records.write_record(run.job("7"), replace(made.job(run, "7"), follows="3"))
    ended("DRAINED", saved=9)
    assert follow(run, 0, limit=2) == 1
    assert acted(fake_slurm) == []
    assert outcome(run)["why"] == "2 attempts are as many as requeue.limit allows"


def test_attempts_before_a_person_resumed_the_run_do_not_count(
    run: RunLayout, ended: Ended, made: MadeRuns, fake_slurm: FakeSlurm
) -> None:
    made.job(run, "3")
    made.outcome(run, "FAILED", job_id="3")
    ended("DRAINED", saved=9)
    assert follow(run, 0, limit=2) == 0
    assert acted(fake_slurm) == [["requeue", "7"]]


def test_a_refused_requeue_becomes_a_new_job(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_slurm.says("scontrol requeue", stderr=REFUSED, code=1)
    fake_slurm.says("squeue", stdout=f"8{SEPARATOR}afterok:7(unfulfilled){SEPARATOR}\n")
    ended("DRAINED")
    assert follow(run, 0) == os.EX_TEMPFAIL
    assert acted(fake_slurm) == [
        ["requeue", "7"],
        ["update", "JobId=8", "Dependency=afterok:90"],
        ["release", "90"],
    ]
    script = str(run.slurm / "7_submission.sh")
    assert fake_slurm.commands("sbatch") == [["--parsable", "--hold", script]]
    assert (run.slurm / "90_submitted.pkl").read_bytes() == b"a pickle"
    assert (outcome(run)["state"], outcome(run)["next"]) == ("DRAINED", "90")
    assert records.jobs(run)[-1].job_id == "90"
    said = capsys.readouterr().err
    assert REFUSED in said
    assert said.endswith("the run goes on as job 90\n")


def test_a_node_at_fault_is_kept_off(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own node, by the files of its processes; and those of the last hours."""
    ended("FAILED", "node", nodes=["old"], hours_ago=5)
    ended("FAILED", "node", restarts=1, nodes=["recent"], hours_ago=3)
    ended("FAILED", "memory", restarts=2, nodes=["small"], hours_ago=1)
    ended("FAILED", "node", restarts=3, nodes=["good", "bad"])
    failure = {"schema": 1, "attempt": "7.3", "rank": 1, "node": "bad", "kind": "exception"}
    failure |= {"type": "E", "step": 3, "message": "Xid 79"}
    run.failure("7.3", 1).write_text(json.dumps(failure))
    assert follow(run, 1, restarts=3) == os.EX_TEMPFAIL
    assert acted(fake_slurm) == [["release", "90"]]
    assert fake_slurm.arguments("sbatch")[2] == "--exclude=bad,recent"
    assert outcome(run, "7.3")["next"] == "90"
    assert "the run goes on as job 90, not on bad, recent\n" in capsys.readouterr().err


PICKY = """\
#!/bin/sh
printf '%s\\0' "$@" "" >>"${0%/*}/../sbatch.arguments"
case "$3" in --exclude=*) echo "sbatch: error: Requested node configuration" >&2; exit 1 ;; esac
echo 91
"""


def test_where_too_few_nodes_are_left_none_is_kept_off(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm
) -> None:
    (fake_slurm.bin / "sbatch").write_text(PICKY)
    ended("FAILED", "node")
    assert follow(run, 1) == os.EX_TEMPFAIL
    assert [len(words) for words in fake_slurm.commands("sbatch")] == [4, 3]
    assert outcome(run)["next"] == "91"


def test_a_run_that_cannot_go_on_does_not_say_that_it_does(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_slurm.says("scontrol requeue", stderr=REFUSED, code=1)
    fake_slurm.says("sbatch", stderr="sbatch: error: no more jobs for you\n", code=1)
    ended("DRAINED")
    assert follow(run, 0) == 1
    assert outcome(run)["next"] == ""
    assert "no more jobs for you" in outcome(run)["why"]
    assert "no more jobs for you" in capsys.readouterr().err


def test_a_new_job_that_cannot_be_released_is_the_only_one(
    run: RunLayout, ended: Ended, fake_slurm: FakeSlurm
) -> None:
    fake_slurm.says("scontrol release", stderr="Socket timed out", code=1)
    ended("FAILED", "node")
    assert follow(run, 1) == 1
    assert fake_slurm.calls("sbatch") == 1
    assert outcome(run)["next"] == ""
    assert outcome(run)["why"] == "gpu1 may be at fault, but scontrol failed: Socket timed out"


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", 4),
        ("slurm_load_jobs error: Invalid job id specified", 1),
    ],
)
def test_a_controller_that_does_not_answer(
    run: RunLayout,
    ended: Ended,
    fake_slurm: FakeSlurm,
    capsys: pytest.CaptureFixture[str],
    said: str,
    calls: int,
) -> None:
    """One that is away is asked again and again, one that says no is not."""
    fake_slurm.says("scontrol --oneliner", stderr=said, code=1)
    ended("DRAINED")
    assert follow(run, 0) == 1
    assert 1 <= fake_slurm.calls("scontrol") <= calls
    assert (fake_slurm.calls("scontrol") > 1) == (calls > 1)
    assert outcome(run)["next"] == ""
    assert f"error: scontrol failed: {said}" in capsys.readouterr().err


def test_it_is_light() -> None:
    """A preempted job has seconds."""
    code = "import sys; import iacfilter_hpc.worker.after_step; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "pydantic", "submitit", "jinja2", "yaml", "numpy"}
    assert not heavy & set(said.stdout.split())
