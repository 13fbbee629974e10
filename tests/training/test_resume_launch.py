"""Real launches that are stopped or killed and go on: two processes, DeepSpeed, dropout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from iacfilter_hpc.runs.layout import RunLayout, resource
from iacfilter_hpc.slurm.environment import without_launch
from tests.training.settings import REPOSITORY, TRAINS, run_config
from tests.training.test_resume import layout_of, weights

pytestmark = TRAINS

BIN = Path(sys.executable).parent
STAGES = ("zero1", "zero2", "zero3")
STEPS = 12


def prepare(folder: Path, stage: str) -> RunLayout:
    """A run of 12 optimizer steps that see 2 processes x 2 accumulated batches x 1 sample."""
    layout = layout_of(folder / "generative" / stage)
    config = run_config(
        "generative",
        accelerate__deepspeed_config_file=stage,
        accelerate__num_processes=2,
        data__max_length=1024,
        lora__lora_dropout=0.3,
        packing__tokens_per_batch=1,  # every sample is a micro-batch
        training__num_train_epochs=6,
        training__gradient_accumulation_steps=2,
        training__per_device_train_batch_size=1,
        training__logging_steps=1,
    )
    layout.config.write_text(yaml.safe_dump(config.as_dict()), encoding="utf-8")
    return layout


def launch(layout: RunLayout, attempt: str, processes: int = 2) -> subprocess.Popen[str]:
    stage = resource("configs", "deepspeed", f"{layout.name}.json")
    argv = [BIN / "accelerate", "launch", "--use_deepspeed", "--deepspeed_config_file", stage]
    argv += ["--num_processes", processes, "--num_machines", 1, "--machine_rank", 0]
    argv += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", 0]
    argv += [resource("jobs", "train.py"), "--run-dir", layout.directory]
    environment = without_launch(os.environ) | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "DS_ACCELERATOR": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "IACFILTER_ATTEMPT": attempt,
    }
    log = (layout.slurm / f"{attempt}_0_log.err").open("w")
    with log:
        return subprocess.Popen(
            [str(word) for word in argv],
            cwd=layout.directory,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


def said(layout: RunLayout, attempt: str) -> str:
    return (layout.slurm / f"{attempt}_0_log.err").read_text()


def finish(layout: RunLayout, attempt: str) -> None:
    running = launch(layout, attempt)
    assert running.wait(300) == 0, said(layout, attempt)[-6000:]
    assert layout.final.is_dir()


def wait_for_step(layout: RunLayout, running: subprocess.Popen[str], step: int) -> None:
    end = time.monotonic() + 120
    while heartbeat(layout) < step:
        assert running.poll() is None, "it ended before it was stopped"
        assert time.monotonic() < end
        time.sleep(0.005)


def heartbeat(layout: RunLayout) -> int:
    try:
        return int(json.loads(layout.heartbeat.read_bytes())["step"])
    except FileNotFoundError:
        return -1


@pytest.fixture(scope="module", params=STAGES)
def twin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """A run that was left alone."""
    layout = prepare(tmp_path_factory.mktemp("twins"), request.param)
    finish(layout, "1")
    return layout


def trainers(running: subprocess.Popen[str]) -> list[psutil.Process]:
    family = psutil.Process(running.pid).children(recursive=True)
    return [process for process in family if any("train.py" in word for word in process.cmdline())]


def ask_by_file(layout: RunLayout, running: subprocess.Popen[str]) -> None:
    layout.drain.write_text('{"reason": "asked"}')


def ask_one_rank(layout: RunLayout, running: subprocess.Popen[str]) -> None:
    """Only one process is told; the others have to stop with it."""
    trainers(running)[-1].send_signal(signal.SIGUSR1)


Ask = Callable[[RunLayout, "subprocess.Popen[str]"], None]


def stop(layout: RunLayout, attempt: str, step: int, ask: Ask) -> str:
    """Stop an attempt after this step; answers the name of what it has saved."""
    running = launch(layout, attempt)
    try:
        wait_for_step(layout, running, step)
        ask(layout, running)
        assert running.wait(120) == 0, said(layout, attempt)[-6000:]
    finally:
        running.kill()
    drained = json.loads(layout.drained(attempt).read_text())
    assert step <= drained["step"] < STEPS
    assert drained["checkpoint"] == f"checkpoint-{drained['step']}"
    assert not layout.final.exists()
    layout.drain.unlink(missing_ok=True)
    return str(drained["checkpoint"])


def kill(layout: RunLayout, attempt: str, step: int) -> None:
    """Kill all of an attempt at once, after this step."""
    running = launch(layout, attempt)
    wait_for_step(layout, running, step)
    for process in [*trainers(running), psutil.Process(running.pid)]:
        process.kill()
    running.wait(60)


@pytest.mark.parametrize("twin", ["zero1", "zero3"], indirect=True)
def test_stopped_and_gone_on(twin: RunLayout, tmp_path: Path) -> None:
    layout = prepare(tmp_path, twin.name)
    saved = stop(layout, "1", 3, ask_by_file)
    finish(layout, "1.1")
    assert f"going on from {saved}" in said(layout, "1.1")
    assert weights(layout) == weights(twin)


@pytest.mark.parametrize("twin", ["zero2"], indirect=True)
def test_killed_and_stopped_and_gone_on(twin: RunLayout, tmp_path: Path) -> None:
    """However its attempts end, no more is lost than since the last checkpoint.

    One run for all of it: a launch takes most of its time to import what it needs.
    """
    layout = prepare(tmp_path, twin.name)
    kill(layout, "1.0", 1)
    saved = stop(layout, "1.1", 4, ask_one_rank)
    check_processes_are_kept(layout, tmp_path / "copy" / "generative" / twin.name)
    kill(layout, "1.2", 8)
    finish(layout, "1.3")
    assert f"going on from {saved}" in said(layout, "1.2")
    assert "going on from checkpoint-" in said(layout, "1.3")
    assert weights(layout) == weights(twin)


def check_processes_are_kept(stopped: RunLayout, directory: Path) -> None:
    """What two processes have saved is refused by one."""
    layout = RunLayout(Path(shutil.copytree(stopped.directory, directory)))
    config = yaml.safe_load(layout.config.read_text())
    config["accelerate"]["num_processes"] = 1
    layout.config.write_text(yaml.safe_dump(config))
    assert launch(layout, "2", processes=1).wait(120) == 1
    assert "was saved by 2 processes, and this attempt has 1" in said(layout, "2")
    assert "hint: resume with --gpus 2" in said(layout, "2")
