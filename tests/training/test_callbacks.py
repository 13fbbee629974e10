"""metrics.jsonl and heartbeat.json are valid at every moment, and written by one process."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.training.callbacks import MetricsCallback

pytestmark = pytest.mark.train


@pytest.fixture
def args(tmp_path: Path) -> TrainingArguments:
    return TrainingArguments(output_dir=str(tmp_path), use_cpu=True)


def test_each_event_is_a_line_and_a_heartbeat(tmp_path: Path, args: TrainingArguments) -> None:
    layout = RunLayout(tmp_path)
    callback, control = MetricsCallback(layout), TrainerControl()
    state = TrainerState(global_step=3, max_steps=9, epoch=0.5)
    callback.on_train_begin(args, TrainerState(max_steps=9), control)
    assert json.loads(layout.heartbeat.read_text())["step"] == 0
    callback.on_log(args, state, control, logs={"loss": 0.25})
    callback.on_log(args, state, control, logs={"eval_f1": 0.5})
    first, second = map(json.loads, layout.metrics.read_text().splitlines())
    assert datetime.fromisoformat(first.pop("time")).utcoffset() is not None
    assert first == {"step": 3, "max_steps": 9, "epoch": 0.5, "loss": 0.25}
    assert second["eval_f1"] == 0.5
    beat = json.loads(layout.heartbeat.read_text())
    assert (beat["step"], beat["max_steps"], beat["epoch"]) == (3, 9, 0.5)
    assert (beat["loss"], beat["eval_f1"]) == (0.25, 0.5)


def test_what_is_not_finite_is_null_and_told(
    tmp_path: Path, args: TrainingArguments, caplog: pytest.LogCaptureFixture
) -> None:
    layout = RunLayout(tmp_path)
    state = TrainerState(global_step=1, max_steps=2)
    with caplog.at_level(logging.WARNING):
        logs = {"loss": float("nan"), "grad_norm": float("inf"), "learning_rate": 0.1}
        MetricsCallback(layout).on_log(args, state, TrainerControl(), logs=logs)
    line = json.loads(layout.metrics.read_text(), parse_constant=pytest.fail)
    assert (line["loss"], line["grad_norm"], line["learning_rate"]) == (None, None, 0.1)
    assert "step 1: loss, grad_norm is not finite" in caplog.text


def test_other_processes_write_nothing(tmp_path: Path, args: TrainingArguments) -> None:
    state = TrainerState(is_world_process_zero=False, global_step=1)
    callback = MetricsCallback(RunLayout(tmp_path))
    callback.on_train_begin(args, state, TrainerControl())
    callback.on_log(args, state, TrainerControl(), logs={"loss": 1.0})
    callback.on_save(args, state, TrainerControl())
    assert list(tmp_path.iterdir()) == []


def test_what_an_attempt_did_not_save_is_forgotten(tmp_path: Path, args: TrainingArguments) -> None:
    layout = RunLayout(tmp_path)
    layout.metrics.write_text('{"step": 3, "loss": 1}\n{"step": 4, "loss": 2}\n{"step": 5, "lo')
    state = TrainerState(global_step=3)
    MetricsCallback(layout).on_train_begin(args, state, TrainerControl())
    assert layout.metrics.read_text() == '{"step": 3, "loss": 1}\n'
    assert json.loads(layout.heartbeat.read_text())["checkpoint"] == 3


def test_the_heartbeat_names_the_newest_checkpoint(tmp_path: Path, args: TrainingArguments) -> None:
    layout, callback = RunLayout(tmp_path), MetricsCallback(RunLayout(tmp_path))
    callback.on_train_begin(args, TrainerState(), TrainerControl())
    assert json.loads(layout.heartbeat.read_text())["checkpoint"] is None
    callback.on_save(args, TrainerState(global_step=4), TrainerControl())
    assert json.loads(layout.heartbeat.read_text())["checkpoint"] == 4
