"""Real launches that are stopped or killed and go on: two processes, DeepSpeed, dropout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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


def test_stopped_and_gone_on(twin: RunLayout, tmp_path: Path) -> None:
    ask = ask_one_rank if twin.name == "zero2" else ask_by_file
    layout = prepare(tmp_path, twin.name)
    running = launch(layout, "1")
    try:
        wait_for_step(layout, running, 3)
        ask(layout, running)
        assert running.wait(120) == 0, said(layout, "1")[-6000:]
    finally:
        running.kill()
    drained = json.loads(layout.drained("1").read_text())
    assert 3 <= drained["step"] < STEPS
    assert drained["checkpoint"] == f"checkpoint-{drained['step']}"
    assert not layout.final.exists()
    layout.drain.unlink(missing_ok=True)
    finish(layout, "1.1")
    assert f"going on from {drained['checkpoint']}" in said(layout, "1.1")
    assert weights(layout) == weights(twin)


def test_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    layout = prepare(tmp_path, "zero2")
    running = launch(layout, "1")
    wait_for_step(layout, running, 2)
    ask_by_file(layout, running)
    assert running.wait(120) == 0
    layout.drain.unlink()
    config = yaml.safe_load(layout.config.read_text())
    config["accelerate"]["num_processes"] = 1
    layout.config.write_text(yaml.safe_dump(config))
    assert launch(layout, "2", processes=1).wait(120) == 1
    assert "was saved by 2 processes, and this attempt has 1" in said(layout, "2")
    assert "hint: resume with --gpus 2" in said(layout, "2")


@pytest.mark.parametrize("twin", ["zero2"], indirect=True)
def test_killed_and_gone_on(twin: RunLayout, tmp_path: Path) -> None:
    """Whenever all of it is killed, no more is lost than since the last checkpoint."""
    layout = prepare(tmp_path, twin.name)
    for number in range(3):
        attempt = f"1.{number}"
        running = launch(layout, attempt)
        wait_for_step(layout, running, 3 * number + 1)
        for process in [*trainers(running), psutil.Process(running.pid)]:
            process.kill()
        running.wait(60)
    finish(layout, "1.9")
    assert "going on from checkpoint-" in said(layout, "1.9")
    assert weights(layout) == weights(twin)
