"""Real launches: `accelerate launch` with DeepSpeed, two processes, gloo, on CPU."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.evaluation.predict import load_scorer, score_samples
from iacfilter_hpc.runs.layout import RunLayout, resource
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.slurm.environment import without_launch
from iacfilter_hpc.trained_model.evidence import read_validation_scores
from iacfilter_hpc.training.calibrate import choose_threshold
from iacfilter_hpc.training.run import train
from tests.training.settings import DEMO, REPOSITORY, TRAINS, run_config

pytestmark = TRAINS

STAGES = ["zero0", "zero1", "zero2", "zero3", "zero2-offload", "zero3-offload"]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Launched:
    """A run and what its launch said."""

    layout: RunLayout
    code: int
    output: str


def history(layout: RunLayout, name: str) -> list[float]:
    """The logged values of one name."""
    events = map(json.loads, layout.metrics.read_text().splitlines())
    return [event[name] for event in events if name in event]


def settings(stage: str | None, processes: int, batch: int, accumulation: int) -> RunConfig:
    """A configuration whose optimizer steps see four samples."""
    return run_config(
        "generative",
        accelerate__deepspeed_config_file=stage,
        accelerate__num_processes=processes,
        data__max_length=1024,
        lora__lora_dropout=0.0,
        # less than any prompt has: each is a micro-batch, two a process and step
        packing__tokens_per_batch=None if processes == 1 else 1,
        training__num_train_epochs=3,
        training__activation_checkpointing=stage in ("zero2", "zero3"),
        training__gradient_accumulation_steps=accumulation,
        training__per_device_train_batch_size=batch,
    )


def launch(stage: str, directory: Path, *flags: str) -> Launched:
    layout = RunLayout(directory / stage)
    layout.directory.mkdir(parents=True)
    config = settings(stage, processes=2, batch=1, accumulation=2)
    layout.config.write_text(yaml.safe_dump(config.as_dict()), encoding="utf-8")
    command = [BIN / "accelerate", "launch", *flags, "--num_processes", "2", "--num_machines", "1"]
    command += ["--machine_rank", "0", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += ["--main_process_port", "0", resource("jobs", "train.py")]
    environment = without_launch(os.environ) | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "DS_ACCELERATOR": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "IACFILTER_STARTED": str(time.time()),
    }
    done = subprocess.run(
        [*map(str, command), "--run-dir", str(layout.directory)],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return Launched(layout, done.returncode, done.stdout)


def deepspeed(stage: str) -> list[str]:
    file = resource("configs", "deepspeed", f"{stage}.json")
    return ["--use_deepspeed", "--deepspeed_config_file", str(file)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """A run of one process without DeepSpeed and without accumulation."""
    layout = RunLayout(tmp_path_factory.mktemp("alone"))
    train(layout, settings(None, processes=1, batch=4, accumulation=1))
    return layout


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_trains_the_same(stage: str, tmp_path: Path, alone: RunLayout) -> None:
    run = launch(stage, tmp_path, *deepspeed(stage))
    assert run.code == 0, run.output[-6000:]
    number = stage.removeprefix("zero").removesuffix("-offload")
    assert f"distributed: DEEPSPEED zero{number}, gloo, 2 processes on 1 node" in run.output
    assert "deepspeed_shm_comm is off" in run.output
    assert "is deprecated" not in run.output
    for name, count in (("loss", 3 * 2), ("eval_loss", 3)):
        found = history(run.layout, name)
        assert len(found) == count
        assert found == pytest.approx(history(alone, name), abs=1e-5, rel=1e-5)
    assert history(run.layout, "loss")[-1] < history(run.layout, "loss")[0]
    # DeepSpeed tells no norm at stage 0
    norms = history(run.layout, "grad_norm")
    assert norms == pytest.approx(history(alone, "grad_norm"), rel=1e-3) or stage == "zero0"
    check_start(run)
    check_final(run.layout)


def check_start(run: Launched) -> None:
    """One process made the tokens for both, and told once where the time went."""
    kept = [path.name for path in run.layout.tokens.iterdir()]
    assert len(kept) == 2 and not any(name.startswith(".") for name in kept)
    assert run.output.count(" s, made for ") == 2
    assert "arithmetic: float32, attention iacfilter_segments, optimizer adamw" in run.output
    assert run.output.count("packed rows, attention segments: on cpu") == 1
    # eight samples in two steps of four, each computed alone
    told = re.search(r"train: ([0-9,]+) tokens an epoch, ([0-9,]+) computed", run.output)
    assert told and told[1] == told[2]
    assert run.output.count("from srun to the first step") == 1
    (seconds,) = history(run.layout, "start_seconds")
    events = map(json.loads, run.layout.metrics.read_text().splitlines())
    event = next(event for event in events if "start_seconds" in event)
    parts = {name: value for name, value in event.items() if name.startswith("start_seconds_")}
    assert list(parts) == [
        f"start_seconds_{phase}"
        for phase in (
            *("launcher", "imports", "data", "devices_and_processes"),
            *("weights", "setup", "first_step"),
        )
    ]
    assert sum(parts.values()) == pytest.approx(seconds, abs=0.01)
    assert all(value > 0 for value in parts.values())


def check_final(layout: RunLayout) -> None:
    """The reloaded adapter says about validation what the trainer said; the group may read it."""
    scorer = load_scorer(layout.final)
    scored, _ = score_samples(scorer, read_samples(DEMO / "validation.jsonl"))
    p_tp = [each.p_tp for each in scored]
    chosen = choose_threshold(p_tp, [each.sample.label == "TP" for each in scored])
    said = scorer.decision
    assert chosen.value == pytest.approx(said.threshold, abs=1e-5)
    assert chosen.f1 == pytest.approx(said.validation.f1)
    assert p_tp == pytest.approx(read_validation_scores(layout.final).p_tp, abs=1e-5)
    files = [path for path in layout.directory.rglob("*") if path.is_file()]
    assert all(stat.S_IMODE(path.stat().st_mode) & stat.S_IRGRP for path in files)
    shutil.rmtree(layout.directory)


def test_a_launch_without_deepspeed_is_refused(tmp_path: Path) -> None:
    run = launch("zero2", tmp_path)
    assert run.code != 0
    assert "was to run as DEEPSPEED, gloo, 2 processes, but runs as" in run.output
    assert "hint: start it with `accelerate launch --use_deepspeed`" in run.output
    assert 'train.py", line' not in run.output, "no traceback of ours"
    assert not run.layout.final.exists()
