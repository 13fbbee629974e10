"""iacfilter-evaluate: what it refuses, and what it submits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc import runs
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.resolve import as_yaml
from tests.cli.commands import iacfilter
from tests.fake_slurm import FakeSlurm
from tests.made_runs import DEMO, MadeRuns, demo_config

DATA = str(DEMO["validation"])


@pytest.fixture
def trained(made: MadeRuns) -> RunLayout:
    """A run that has been trained, as far as its files tell."""
    layout = made.run("mine")
    layout.config.write_text(as_yaml(demo_config("encoder", "name=mine")))
    layout.final.mkdir()
    return layout


@pytest.mark.parametrize("data", ["nowhere.jsonl", "/", "~nobody-of-that-name/x"])
def test_data_that_is_no_file(trained: RunLayout, data: str) -> None:
    done = iacfilter("evaluate", "mine", "--data", data)
    assert (done.returncode, done.stderr) == (2, f"error: --data {data} is not a file\n")


def test_a_run_without_a_model(made: MadeRuns) -> None:
    layout = made.run("mine")
    done = iacfilter("evaluate", "mine", "--data", DATA)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: mine has no trained model: {layout.final} is missing\n"
        "hint: iacfilter-status mine tells how far it is\n"
    )


def test_a_run_that_is_not_there(made: MadeRuns) -> None:
    assert iacfilter("evaluate", "typo", "--data", DATA).returncode == 2


def test_bad_data_is_named_before_anything_is_submitted(
    fake_slurm: FakeSlurm, trained: RunLayout, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    bad.write_text("{\n")
    done = iacfilter("evaluate", "mine", "--data", str(bad), "--submit")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {bad}:1: not JSON")
    assert fake_slurm.calls("sbatch") == 0


def test_it_submits_a_job_on_one_gpu(fake_slurm: FakeSlurm, trained: RunLayout) -> None:
    done = iacfilter("evaluate", "mine", "--data", DATA, "--submit")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Submitted job 4242: evaluation of mine\n"
        f"  log     {trained.log('4242')}\n"
        "Next: iacfilter-status mine | iacfilter-logs 4242 -f\n"
    )
    assert "#SBATCH --gpus-per-node=1\n" in fake_slurm.script()
    (job,) = runs.jobs(trained)
    assert job.purpose == "evaluate"


def test_json_is_one_document(fake_slurm: FakeSlurm, trained: RunLayout) -> None:
    done = iacfilter("evaluate", "mine", "--data", DATA, "--submit", "--json")
    log = str(trained.log("4242"))
    expected = {"schema": 1, "run": "mine", "job_id": "4242", "log": log}
    assert json.loads(done.stdout) == expected
