"""iacfilter-logs: the right file, and words where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from iacfilter_hpc.runs.tree import find_run
from tests.cli.commands import PROGRAMS, iacfilter
from tests.made_runs import MadeRuns


@pytest.fixture
def two_jobs(made: MadeRuns) -> MadeRuns:
    """An older run, and a newer one of two jobs, the second on two nodes."""
    old, new = made.run("old"), made.run("new", "generative")
    os.utime(old.record, ns=(1, 1))
    made.job(old, "5")
    made.job(new, "6", submitted_at="2026-01-02T00:00:00Z")
    made.job(new, "7", submitted_at="2026-01-03T00:00:00Z")
    old.log("5").write_text("old\n")
    new.log("6").write_text("first\n")
    new.log("7").write_text("".join(f"line {n}\n" for n in range(150)))
    new.log("7", 1).write_text("second node\n")
    new.error_log("7").write_text("warning\n")
    return made


def test_the_newest_job_of_the_newest_run(two_jobs: MadeRuns) -> None:
    done = iacfilter("logs", "--out")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"line {n}" for n in range(50, 150)]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["new", "--err"], "warning\n"),
        (["new", "--out", "-n", "2"], "line 148\nline 149\n"),
        (["7", "--out", "--lines", "1"], "line 149\n"),
        (["new", "--node", "1"], "second node\n"),
        (["6"], "first\n"),
        (["old"], "old\n"),
        (["old", "--out", "--err"], "old\n"),
    ],
)
def test_a_choice_of_logs(two_jobs: MadeRuns, words: list[str], shown: str) -> None:
    done = iacfilter("logs", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, shown, "")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("new", "job 7 has been restarted 1 time\nhint: --attempt takes 0 to 1\n"),
        ("6", "job 6 has been restarted 0 times\nhint: it has only --attempt 0\n"),
        ("old", "job 5 has been restarted 2 times\nhint: --attempt takes 0 to 2\n"),
    ],
)
def test_an_attempt_that_never_was(two_jobs: MadeRuns, run: str, message: str) -> None:
    for name, attempt in (("new", "7.1"), ("old", "5.1"), ("old", "5.2")):
        find_run(two_jobs.models, name).log(attempt).write_text("again\n")
    done = iacfilter("logs", run, "--attempt", "7")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: --attempt 7: {message}"


def test_both_streams_are_told_apart(two_jobs: MadeRuns) -> None:
    shown = iacfilter("logs", "new", "-n", "1").stdout
    assert "line 149" in shown
    assert "warning" in shown
    assert shown.count("==>") == 2


def test_json_names_the_files(two_jobs: MadeRuns) -> None:
    document = json.loads(iacfilter("logs", "new", "--json").stdout)
    folder = two_jobs.models / "generative" / "new" / "slurm"
    assert document == {
        "schema": 1,
        "run": "new",
        "job_id": "7",
        "attempt": "7",
        "files": [str(folder / "7_0_log.out"), str(folder / "7_0_log.err")],
    }


def test_following_goes_on_as_the_log_grows(two_jobs: MadeRuns) -> None:
    path = two_jobs.models / "encoder" / "old" / "slurm" / "5_0_log.out"
    with subprocess.Popen(
        [sys.executable, str(PROGRAMS / "iacfilter-logs"), "old", "-f", "--out"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "old\n"
        with path.open("a") as log:
            log.write("grown\n")
        assert process.stdout.readline() == "grown\n"
        process.terminate()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere"], 2, "error: no run nowhere under "),
        (["empty"], 1, "error: empty has no job\nhint: iacfilter-status empty\n"),
        (["silent"], 1, "error: job 8 of silent has not written a log yet\nhint: "),
    ],
)
def test_where_there_is_no_log(made: MadeRuns, words: list[str], code: int, message: str) -> None:
    made.run("empty")
    made.job(made.run("silent"), "8")
    done = iacfilter("logs", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(message)


def test_without_runs(made: MadeRuns) -> None:
    done = iacfilter("logs")
    assert done.returncode == 2
    assert done.stderr == f"error: no runs under {made.models}\nhint: iacfilter-submit makes one\n"


def test_a_path_of_hostile_characters(two_jobs: MadeRuns) -> None:
    moved = two_jobs.models.with_name("it's $(touch canary); \n-f")
    two_jobs.models.rename(moved)
    done = iacfilter("logs", "old", "--models-dir", str(moved))
    assert (done.returncode, done.stdout) == (0, "old\n")
