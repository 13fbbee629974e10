"""iacfilter_hpc.launch.resume: a run is gone on with as it is, or the person is told what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.checkpoints import newest_saved
from iacfilter_hpc.config.layers import from_value
from iacfilter_hpc.config.resolve import resumed_config
from iacfilter_hpc.config.schema import RunConfig, load_config
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import ConfigError, SubmissionError, UsageError
from iacfilter_hpc.launch import submission
from iacfilter_hpc.launch.resume import resume
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from tests.fake_slurm import FakeSlurm
from tests.made_runs import demo_config

SITE = Site(python="/shared/python")


@pytest.fixture
def run(fake_slurm: FakeSlurm, models: Path) -> RunLayout:
    """A submitted run whose job squeue does not know any more."""
    config = demo_config("generative", "name=mine", "resources.gpus=4")
    made = submission.submit(config, SITE, models, "slurm").layout
    fake_slurm.queue()
    fake_slurm.says("sbatch", stdout="Submitted batch job 4243\n")
    return made


def save(run: RunLayout, step: int, processes: int) -> None:
    folder = run.directory / f"checkpoint-{step}"
    folder.mkdir()
    fields = {"step": step, "processes": processes, "files": {}, "schema": 1}
    (folder / "manifest.json").write_text(json.dumps(fields))


def changed(run: RunLayout, *assignments: str) -> RunConfig:
    return resumed_config(load_config(run), assignments, [])


def test_a_new_job_of_the_same_run(run: RunLayout, fake_slurm: FakeSlurm) -> None:
    save(run, 8, 4)
    run.drain.touch()
    done = resume(run, changed(run, "resources.time=1-00:00:00"), SITE, "slurm")
    assert (done.layout, done.job_id) == (run, "4243")
    assert [job.job_id for job in records.jobs(run)] == ["4242", "4243"]
    assert "#SBATCH --time=1440" in fake_slurm.script()
    assert "#SBATCH --job-name=mine" in fake_slurm.script()
    assert load_config(run).resources.time == "1-00:00:00"
    assert not run.drain.exists(), "a request to an earlier job is not one to this job"


def test_a_trained_run_is_refused(run: RunLayout) -> None:
    run.final.mkdir()
    with pytest.raises(UsageError, match="mine is trained"):
        resume(run, load_config(run), SITE, "slurm")


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING"])
def test_a_live_run_is_refused(run: RunLayout, fake_slurm: FakeSlurm, state: str) -> None:
    fake_slurm.queue(("4242", "mine", state))
    with pytest.raises(UsageError, match="job 4242 of mine is alive"):
        resume(run, load_config(run), SITE, "slurm")


def test_another_number_of_processes_is_refused(run: RunLayout) -> None:
    fewer = changed(run, "resources.gpus=2")
    assert resume(run, fewer, SITE, "slurm").job_id == "4243", "nothing is saved yet"
    save(run, 4, 2)
    save(run, 16, 4)
    with pytest.raises(UsageError, match="saved step 16 with 4 processes") as caught:
        resume(run, fewer, SITE, "slurm")
    assert caught.value.hint == "resume it with --gpus 4, or start a new run"
    save(run, 20, 1)
    with pytest.raises(UsageError, match="saved step 20 with 1 process, and would go on with 2"):
        resume(run, fewer, SITE, "slurm")


def test_a_refusal_of_sbatch_changes_nothing(run: RunLayout, fake_slurm: FakeSlurm) -> None:
    before = run.config.read_text()
    fake_slurm.says("sbatch", stderr="sbatch: error: invalid partition\n", code=1)
    with pytest.raises(SubmissionError):
        resume(run, changed(run, "resources.partition=nowhere"), SITE, "slurm")
    assert run.config.read_text() == before
    assert [job.job_id for job in records.jobs(run)] == ["4242"]


def test_only_where_and_how_long_it_runs_may_change(run: RunLayout) -> None:
    with pytest.raises(ConfigError) as caught:
        resumed_config(
            load_config(run),
            ["training.seed=7", "requeue.limit=3"],
            [from_value("data.train_file", "x.jsonl", "--train-file")],
        )
    assert caught.value.message.splitlines() == [
        "--set training.seed: training.seed cannot change when a run is resumed, only resources "
        "and requeue can",
        "--train-file: data.train_file cannot change when a run is resumed, only resources and "
        "requeue can",
    ]
    with pytest.raises(ConfigError, match=r"resources\.time is 'soon'"):
        changed(run, "resources.time=soon")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"step": 3}', '{"step": "x", "processes": 1}'])
def test_a_manifest_that_says_nothing_is_left_to_the_job(run: RunLayout, text: str) -> None:
    save(run, 4, 4)
    save(run, 8, 4)
    (run.directory / "checkpoint-8" / "manifest.json").write_text(text)
    found = newest_saved(run)
    assert found is not None
    assert found.step == 4


def test_a_job_that_was_not_noted_is_alive_all_the_same(
    run: RunLayout, fake_slurm: FakeSlurm
) -> None:
    """Its launcher died after sbatch: a second job would train beside it."""
    run.job("4242").unlink()
    fake_slurm.queue(("4242", "mine", "PENDING"))
    with pytest.raises(UsageError, match="job 4242 of mine is alive"):
        resume(run, changed(run), SITE, "slurm")
