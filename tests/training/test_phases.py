"""Where the time before the first step goes: added up, told once, never made to look better."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.training.callbacks import FirstStep, MetricsCallback
from iacfilter_hpc.training.phases import LAUNCHER, Phases

pytestmark = pytest.mark.train


def clock(*moments: float) -> Iterator[float]:
    return iter(moments)


def test_the_phases_add_up_to_the_whole() -> None:
    phases = Phases(clock(115.0, 116.0, 120.0, 121.5, 123.75).__next__)
    phases.enter(LAUNCHER, at=100.0)
    phases.enter("imports", at=103.0)
    for name in ("data", "devices and processes", "data", "weights"):
        phases.enter(name)
    start = phases.end()
    assert start.describe() == (
        "from srun to the first step 23.8 s: "
        "launcher 3.0, imports 12.0, data 2.5, devices and processes 4.0, weights 2.2"
    )
    assert start.event() == {
        "start_seconds": 23.75,
        "start_seconds_launcher": 3.0,
        "start_seconds_imports": 12.0,
        "start_seconds_data": 2.5,
        "start_seconds_devices_and_processes": 4.0,
        "start_seconds_weights": 2.25,
    }


def test_without_srun_it_starts_with_the_process() -> None:
    phases = Phases(clock(5.0).__next__)
    phases.enter("imports", at=2.0)
    assert phases.end().describe() == (
        "from the start of train.py to the first step 3.0 s: imports 3.0"
    )


def test_a_clock_that_is_ahead_is_told() -> None:
    phases = Phases(clock(20.0).__next__)
    phases.enter(LAUNCHER, at=13.5)
    phases.enter("imports", at=10.0)
    assert phases.end().describe() == (
        "from srun to the first step 6.5 s: launcher -3.5, imports 10.0 (clocks differ)"
    )


@pytest.mark.parametrize("step", [0, 14])
def test_the_first_step_of_an_attempt_is_told_once(
    step: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layout, control = RunLayout(tmp_path), TrainerControl()
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    phases = Phases(clock(1.0, 4.0, 6.0).__next__)
    phases.enter("setup")
    told = FirstStep(phases, MetricsCallback(layout))
    with caplog.at_level(logging.INFO):
        for done in (step, step + 1):
            told.on_step_begin(args, TrainerState(global_step=done), control)
            told.on_step_end(args, TrainerState(global_step=done + 1), control)
    (line,) = caplog.messages
    assert line.endswith("to the first step 5.0 s: setup 3.0, first step 2.0")
    (event,) = map(json.loads, layout.metrics.read_text().splitlines())
    assert (event["step"], event["start_seconds"]) == (step + 1, 5.0)
    assert (event["start_seconds_setup"], event["start_seconds_first_step"]) == (3.0, 2.0)


def test_other_processes_tell_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    layout, state = RunLayout(tmp_path), TrainerState(is_world_process_zero=False)
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    told = FirstStep(Phases(), MetricsCallback(layout))
    with caplog.at_level(logging.INFO):
        told.on_step_begin(args, state, TrainerControl())
        told.on_step_end(args, state, TrainerControl())
    assert not caplog.messages and not layout.metrics.exists()
