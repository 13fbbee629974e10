"""iacfilter-evaluate: what it refuses, and what it submits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from submitit.core.utils import DelayedSubmission

from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.worker.worker import Worker
from tests.cli.commands import iacfilter
from tests.fake_slurm import FakeSlurm
from tests.made_models import make_final
from tests.made_runs import DEMO, MadeRuns, demo_config

DATA = str(DEMO["test"])


@pytest.fixture
def trained(made: MadeRuns) -> RunLayout:
    """A run that has been trained, as far as its files tell."""
    layout = made.run("mine")
    layout.config.write_text(as_yaml(demo_config("encoder", "name=mine")))
    make_final(layout.final, DEMO["train"], DEMO["validation"])
    return layout


def submitted_worker(layout: RunLayout) -> Worker:
    """What the job will call."""
    job = DelayedSubmission.load(layout.slurm / "4242_submitted.pkl")
    assert isinstance(job.function, Worker)
    return job.function


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


def test_groups_that_are_no_file(trained: RunLayout) -> None:
    done = iacfilter("evaluate", "mine", "--data", DATA, "--groups", "meta.csv")
    assert (done.returncode, done.stderr) == (2, "error: --groups meta.csv is not a file\n")


def test_a_threshold_that_is_none(trained: RunLayout) -> None:
    done = iacfilter("evaluate", "mine", "--data", DATA, "--threshold", "best")
    assert done.returncode == 2
    assert "--threshold: 'best' is neither validation nor argmax nor a number" in done.stderr


def test_a_fitted_threshold_is_refused_before_anything_is_submitted(
    fake_slurm: FakeSlurm, trained: RunLayout
) -> None:
    fitted = str(DEMO["validation"])
    done = iacfilter("evaluate", "mine", "--data", fitted, "--submit")
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {fitted} is the validation file that chose this run's threshold; a threshold is "
        "never fitted on the data it is reported on\n"
        "hint: give data that the run has not seen, or --threshold argmax, or a number\n"
    )
    assert fake_slurm.calls("sbatch") == 0
    done = iacfilter("evaluate", "mine", "--data", fitted, "--submit", "--threshold", "argmax")
    assert (done.returncode, done.stderr) == (0, "")
    assert submitted_worker(trained).options == EvaluateOptions(threshold="argmax")


@pytest.mark.parametrize("flags", [(), ("-o", "out", "--submit")])
def test_a_copied_model_is_in_no_run(
    trained: RunLayout, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    copied = shutil.copytree(trained.final, tmp_path / "copied")
    done = iacfilter("evaluate", str(copied), "--data", DATA, *flags)
    assert done.returncode == 2
    says = "--submit needs a run, and" if flags else f"{copied} lies in no run, so nothing says"
    assert done.stderr.startswith(f"error: {says}")


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


def test_folds_that_cannot_be_are_refused_before_anything_is_submitted(
    fake_slurm: FakeSlurm, trained: RunLayout
) -> None:
    for flags in (["--submit"], []):
        done = iacfilter("evaluate", "mine", "--data", DATA, "--cross-fit", "9", *flags)
        assert done.returncode == 2
        assert done.stderr.startswith("error: --cross-fit 9: folds keep groups whole, and the data")
    assert fake_slurm.calls("sbatch") == 0
    assert not trained.evaluation.exists()


def test_it_submits_a_job_on_one_gpu(fake_slurm: FakeSlurm, trained: RunLayout) -> None:
    done = iacfilter("evaluate", "mine", "--data", DATA, "--submit")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Submitted job 4242: evaluation of mine\n"
        f"  log     {trained.log('4242')}\n"
        "Next: iacfilter-status mine | iacfilter-logs 4242 -f\n"
    )
    assert "#SBATCH --gpus-per-node=1\n" in fake_slurm.script()
    (job,) = records.jobs(trained)
    assert job.purpose == "evaluate"
    worker = submitted_worker(trained)
    assert (worker.data, worker.options) == (Path(DATA), DEFAULTS)


def test_the_job_does_what_the_command_was_told(
    fake_slurm: FakeSlurm, trained: RunLayout, tmp_path: Path
) -> None:
    groups = tmp_path / "it's groups.csv"
    files = {sample.file for sample in read_samples(DEMO["test"])}
    groups.write_text("file,repo\n" + "".join(f"{file},mine\n" for file in files))
    done = iacfilter(
        *("evaluate", "mine", "--data", DATA, "--submit", "--threshold", "0.3"),
        *("--groups", str(groups), "--draws", "500", "--seed", "9", "-o", str(tmp_path)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert submitted_worker(trained).options == EvaluateOptions(0.3, groups, 500, 9, tmp_path)


def test_json_is_one_document(fake_slurm: FakeSlurm, trained: RunLayout) -> None:
    done = iacfilter("evaluate", "mine", "--data", DATA, "--submit", "--json")
    log = str(trained.log("4242"))
    expected = {"schema": 1, "run": "mine", "job_id": "4242", "log": log}
    assert json.loads(done.stdout) == expected
