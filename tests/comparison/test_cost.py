"""What a run has cost, from its own files and from sacct."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from iacfilter_hpc.comparison.cost import Cost, cost_of, count_parameters, train_speed
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import JobRecord, write_record
from iacfilter_hpc.trained_model.decision import read_decision
from tests.made_models import make_final
from tests.made_runs import DEMO, MadeRuns, demo_config

pytestmark = pytest.mark.train

HOUR = 3667 / 3600
"""How long MadeRuns lets a job run."""


@pytest.fixture
def run(made: MadeRuns) -> RunLayout:
    layout = made.run("mine", gpus=4)
    make_final(layout.final, DEMO["train"], DEMO["validation"])
    tensors = {"a": torch.zeros(3, 4), "b": torch.zeros(5, dtype=torch.bfloat16)}
    save_file(tensors, layout.final / "model.safetensors")
    return layout


def cost(run: RunLayout, config: RunConfig | None = None, **accounted: float) -> Cost:
    made = config or demo_config("encoder", "training.use_cpu=false")
    known = {name.removeprefix("job"): seconds for name, seconds in accounted.items()}
    return cost_of(run, made, read_decision(run.final), known, 10.0)


def test_parameters_are_counted_from_the_header(run: RunLayout) -> None:
    assert count_parameters(run.final) == 17
    save_file({"c": torch.zeros(2, 2, 2)}, run.final / "another.safetensors")
    assert count_parameters(run.final) == 25


def test_hours_of_the_runs_own_clock(made: MadeRuns, run: RunLayout) -> None:
    made.job(run)
    made.outcome(run, "COMPLETED")
    found = cost(run)
    assert (found.hours, found.clock, found.gpus) == (pytest.approx(HOUR), "own clock", 4)
    assert found.gpu_hours == pytest.approx(4 * HOUR)
    assert found.scored_samples_per_s == 10.0


def test_sacct_knows_better(made: MadeRuns, run: RunLayout) -> None:
    made.job(run)
    made.outcome(run, "COMPLETED")
    found = cost(run, job7=7200.0)
    assert (found.hours, found.clock, found.gpu_hours) == (2, "sacct", 8)


def test_all_training_jobs_count_and_no_other(made: MadeRuns, run: RunLayout) -> None:
    for job_id in ("7", "8"):
        made.job(run, job_id)
        made.outcome(run, "COMPLETED", job_id=job_id)
    evaluation = JobRecord(
        job_id="9", executor="slurm", purpose="evaluate", host="h", submitted_at="2026-01-02"
    )
    write_record(run.job("9"), evaluation)
    made.outcome(run, "COMPLETED", job_id="9")
    assert cost(run).hours == pytest.approx(2 * HOUR)
    assert cost(run, job7=3600.0, job8=1800.0).hours == 1.5
    # half known to sacct: one clock for all
    assert cost(run, job7=3600.0).clock == "own clock"


def test_what_is_not_known_is_none(made: MadeRuns, run: RunLayout) -> None:
    assert (cost(run).hours, cost(run).gpu_hours, cost(run).clock) == (None, None, None)
    made.job(run, "7")
    made.outcome(run, "COMPLETED")
    made.job(run, "8")
    assert cost(run).hours is None, "job 8 has not told"
    assert cost(run).train_samples_per_s is None


def test_on_cpu_there_are_hours_but_no_gpu_hours(made: MadeRuns, run: RunLayout) -> None:
    made.job(run)
    made.outcome(run, "COMPLETED")
    on_cpu = demo_config("encoder", "training.use_cpu=true", "training.bf16=false")
    found = cost(run, on_cpu)
    assert (found.gpus, found.gpu_hours) == (0, None) and found.hours == pytest.approx(HOUR)


def test_every_attempt_of_a_job_counts(made: MadeRuns, run: RunLayout) -> None:
    """A job that was requeued has an outcome for each of its attempts."""
    made.job(run)
    made.outcome(run, "DRAINED")
    (run.slurm / "7.1_log.out").write_text("")
    assert cost(run).hours is None, "the second attempt has not told"
    made.outcome(run, "COMPLETED", job_id="7.1")
    assert cost(run).hours == pytest.approx(2 * HOUR)


def event(at: str, **fields: object) -> str:
    return json.dumps({"time": f"2026-01-02T{at}+00:00", **fields}) + "\n"


def test_training_speed_is_that_of_what_each_session_did(tmp_path: Path) -> None:
    """The last session ran from epoch 2 to 3, and its runtime is its own."""
    metrics = tmp_path / "metrics.jsonl"
    first = event("10:00:50", epoch=0.5, loss=1) + event("10:03:20", epoch=2.0, eval_f1=0.5)
    resumed = event("12:00:01", epoch=2.0, resumed_from=20)
    last = event("12:01:41", epoch=3.0, train_runtime=105.0)
    metrics.write_text(first + resumed + last)
    assert train_speed(metrics, 100) == pytest.approx(1.0)
    # without a line for the beginning, from its first log event on
    metrics.write_text(first + event("12:00:51", epoch=2.5, loss=1) + last)
    assert train_speed(metrics, 100) == pytest.approx(1.0)
    # one that went on with a finished training, which had its end logged, adds nothing
    metrics.write_text(
        event("10:00:10", epoch=1.0, loss=1)
        + event("10:01:40", epoch=2.0, train_runtime=100.0)
        + event("12:00:00", epoch=2.0, train_runtime=0.01)
    )
    assert train_speed(metrics, 100) == pytest.approx(2.0)
    metrics.write_text(first + event("12:00:00", epoch=2.0, train_runtime=0.01))
    assert train_speed(metrics, 100) is None


def test_training_speed_counts_the_epochs_that_were_run(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    assert train_speed(metrics, 100) is None
    metrics.write_text('{"epoch": 1.0, "loss": 1}\n[]\n')
    assert train_speed(metrics, 100) is None
    end = '{"epoch": 2.0, "train_runtime": 10, "train_samples_per_second": 999}\n'
    metrics.write_text(f'{{"epoch": 1.0, "loss": 1}}\n{end}{{"torn')
    assert train_speed(metrics, 100) == 20
    metrics.write_text('{"epoch": 2.0, "train_runtime": null}\n{"epoch": 2, "train_runtime": 0}\n')
    assert train_speed(metrics, 100) is None
