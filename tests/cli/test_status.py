"""iacfilter-status: the table, the document, the exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from iacfilter_hpc.cli.status import main
from tests.cli.commands import PROGRAMS, iacfilter
from tests.fake_slurm import FakeSlurm
from tests.made_runs import MadeRuns


@pytest.fixture
def three(fake_slurm: FakeSlurm, made: MadeRuns) -> MadeRuns:
    """A run that trains, one that waits, and one that squeue has forgotten."""
    live, waiting, done = made.run("live", gpus=4), made.run("waiting"), made.run("done")
    for layout, job_id in ((live, "7"), (waiting, "8"), (done, "9")):
        made.job(layout, job_id)
    made.metrics(live, {"step": 3, "max_steps": 10, "loss": 0.6931}, {"step": 4, "eval_f1": 0.5})
    made.outcome(done, "FAILED", "train.py ended with\nexit code 1" + " and more" * 9, job_id="9")
    fake_slurm.queue(
        ("7", "live", "RUNNING", "None", "1:02", "3:04", "gpu1", "2026-01-02T03:04:05"),
        ("8", "waiting", "PENDING", "Priority", "0:00", "4:00:00", "", "2026-01-03T00:00:00"),
    )
    return made


TABLE = """\
RUN      JOB  STATE    REASON                                            GPUS  ELAPSED     LEFT  \
STEP   LOSS     F1  WHERE
live     7    RUNNING  -                                                    4     1:02     3:04  \
4/10  0.693  0.500  gpu1
waiting  8    PENDING  Priority                                             1     0:00  4:00:00  \
   -      -      -  starts 2026-01-03 00:00:00
done     9    FAILED   train.py ended with exit code 1 and more and ...     1  1:01:07        -  \
   -      -      -  gpu1,gpu2
"""


def test_the_table(three: MadeRuns) -> None:
    done = iacfilter("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == TABLE


def test_the_document(three: MadeRuns) -> None:
    done = iacfilter("status", "--json", "live", "9")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    live, failed = document["runs"]
    assert document["schema"] == 1
    assert (live["run"], live["state"], live["reason"]) == ("live", "RUNNING", None)
    assert live["progress"]["step"] == 4
    assert live["directory"] == str(three.models / "encoder" / "live")
    assert (failed["run"], failed["state"]) == ("done", "FAILED")
    assert "\n" in failed["reason"]


@pytest.mark.parametrize(
    ("named", "code"), [(["live"], 8), (["done"], 1), ([], 8), (["waiting", "done"], 8)]
)
def test_the_exit_code_tells_the_states(three: MadeRuns, named: list[str], code: int) -> None:
    assert main([*named, "--exit-status"]) == code
    assert main(named) == 0


def test_all_completed_is_0(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    made.outcome(layout, "COMPLETED")
    assert main(["--exit-status"]) == 0


def test_without_runs(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    done = iacfilter("status")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"no runs under {made.models}\n"
    assert json.loads(iacfilter("status", "--json").stdout) == {"schema": 1, "runs": []}
    assert fake_slurm.calls("squeue") == 0


@pytest.mark.parametrize("name", ["nowhere", "x" * 300, "a\nb", "9" * 30, "/"])
def test_a_run_that_is_not_there(made: MadeRuns, name: str) -> None:
    done = iacfilter("status", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")


def test_what_keeps_a_state_unknown_is_a_warning(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    for name in ("one", "two"):
        made.job(made.run(name))
    fake_slurm.says("squeue", stderr="no controller\n", code=1)
    done = iacfilter("status", "--json")
    assert done.returncode == 0
    assert done.stderr == "warning: squeue failed: no controller\n"
    assert [run["state"] for run in json.loads(done.stdout)["runs"]] == ["UNKNOWN"] * 2


def test_an_answer_of_squeue_that_cannot_be_read_is_a_warning(
    fake_slurm: FakeSlurm, made: MadeRuns
) -> None:
    made.job(made.run("mine"))
    fake_slurm.says("squeue", stdout="Welcome\n")
    done = iacfilter("status", "--json", "--exit-status")
    assert done.returncode == 8, "it may be alive"
    assert done.stderr == "warning: squeue gave an answer that cannot be read: 'Welcome'\n"
    assert [run["state"] for run in json.loads(done.stdout)["runs"]] == ["UNKNOWN"]


def test_damage_is_a_warning(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    made.outcome(layout, "COMPLETED")
    layout.record.write_text("{")
    layout.metrics.write_text('{"step": 1, "loss": NaN}\n[]\n{"st')
    layout.heartbeat.write_text("[]")
    done = iacfilter("status", "--json")
    assert done.returncode == 0
    assert done.stderr == f"warning: {layout.record} is not JSON\n"
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["state"], run["gpus"], run["progress"]["loss"]) == ("COMPLETED", None, None)


@pytest.mark.parametrize("words", [["--watch", "0"], ["--watch", "-1"], ["--watch", "x"]])
def test_watch_wants_seconds(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "--watch" in capsys.readouterr().err


def test_watch_is_not_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--watch", "--json"])
    assert caught.value.code == 2
    assert "--watch does not go with --json, which prints one document" in capsys.readouterr().err


def test_watch_shows_it_again_until_it_is_interrupted(
    fake_slurm: FakeSlurm, made: MadeRuns
) -> None:

    made.job(made.run("mine"))
    with subprocess.Popen(
        [sys.executable, str(PROGRAMS / "iacfilter-status"), "--watch", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        tables = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert (process.returncode, said) == (130, "interrupted\n")
    assert tables[0] == tables[2]
    assert tables[0].startswith("RUN ")
    assert "mine" in tables[1]
