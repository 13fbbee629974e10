"""Stopping anywhere and going on ends with the weights of a run that never stopped, bit for bit."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from iacfilter_hpc.checkpoints.manifest import verify_checkpoint
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.training.run import train
from iacfilter_hpc.training.trainer.drain import Drain, Drained, listen
from iacfilter_hpc.training.trainer.resumable_trainer import ResumableTrainer
from tests.training.settings import TRAINS, run_config

pytestmark = TRAINS


@dataclass(frozen=True, slots=True)
class After(Drain):
    """Asks to stop at the look of this number."""

    looks: list[int] = field(default_factory=lambda: [1])

    def is_asked(self, device: torch.device) -> bool:
        self.looks[0] -= 1
        return self.looks[0] < 0


def config_of(approach: str, **settings: object) -> RunConfig:
    """Several epochs of several steps with dropout, accumulation and two checkpoints kept."""
    if approach == "generative":
        settings |= {
            "accelerate__num_processes": 1,
            "accelerate__deepspeed_config_file": None,
            "lora__lora_dropout": 0.3,
        }
    usual = {
        "training__num_train_epochs": 3,
        "training__per_device_train_batch_size": 2,
        "training__gradient_accumulation_steps": 2,
        "training__learning_rate": 1e-2,
        "training__logging_steps": 1,
    }
    return run_config(approach, **(usual | settings))


def layout_of(folder: Path) -> RunLayout:
    layout = RunLayout(folder)
    layout.slurm.mkdir(parents=True)
    return layout


def weights(layout: RunLayout) -> dict[str, str]:
    """The sha256 of what a finished run is judged by."""
    return {
        path.name: sha256_of(path)
        for path in layout.final.iterdir()
        if path.suffix == ".safetensors" or path.name == "validation_scores.json"
    }


def attempts(layout: RunLayout, config: RunConfig, looks: int, most: int = 100) -> list[Drained]:
    """Start again and again, each time stopping after so many looks, until it is finished."""
    stops = []
    for number in range(most):
        try:
            train(layout, config, f"7.{number}", After(layout.drain, None, [], [looks]))
        except Drained as end:
            stops.append(end)
        else:
            return stops
    raise AssertionError("it never ended")


@pytest.fixture(scope="module", params=["encoder", "generative"])
def twin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    layout = layout_of(tmp_path_factory.mktemp("twins") / request.param / "twin")
    train(layout, config_of(request.param))
    return layout


def events(layout: RunLayout) -> list[tuple[int, float | None, float | None]]:
    """Step, loss and F1 of each log event but those of saving and of the start."""
    found = [json.loads(line) for line in layout.metrics.read_text().splitlines()]
    return [
        (event["step"], event.get("loss"), event.get("eval_f1"))
        for event in found
        if not event.keys() & {"save_seconds", "train_runtime", "start_seconds"}
    ]


@pytest.mark.parametrize("looks", [3, 4, 7])
def test_stopping_again_and_again(twin: RunLayout, tmp_path: Path, looks: int) -> None:
    """After each step, and within each evaluation too."""
    layout = layout_of(tmp_path / twin.approach / "cut")
    stops = attempts(layout, config_of(twin.approach), looks)
    assert len(stops) > (3 if looks == 3 else 0)
    assert weights(layout) == weights(twin)
    assert events(layout) == events(twin)
    steps = [stop.step for stop in stops]
    assert steps == sorted(steps)
    # each attempt but the first says where it went on, as soon as there was a checkpoint
    resumed = [records.resumed(layout, f"7.{number}") for number in range(len(stops) + 1)]
    before = [None, *(stop.checkpoint for stop in stops)]
    assert [found.checkpoint if found else None for found in resumed] == before
    assert [found.step for found in resumed if found] == [step for step in steps if step]
    for stop in stops:
        assert (stop.checkpoint is None) == (stop.step == 0)


def test_stopped_after_the_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the trained model is scored: its newest checkpoint is there, and no step made again."""
    config = config_of("encoder", training__save_total_limit=1)
    whole, cut = layout_of(tmp_path / "encoder" / "whole"), layout_of(tmp_path / "encoder" / "cut")
    train(whole, config)
    score = ResumableTrainer.predict_or_stop

    def ask_and_score(trainer: ResumableTrainer, samples: Any) -> Any:
        cut.drain.touch()
        return score(trainer, samples)

    with monkeypatch.context() as patch:
        patch.setattr(ResumableTrainer, "predict_or_stop", ask_and_score)
        with pytest.raises(Drained) as end:
            train(cut, config, "7", Drain(cut.drain, None, []))
    last = max(step for step, _, _ in events(whole))
    assert (end.value.step, end.value.checkpoint) == (last, f"checkpoint-{last}")
    verify_checkpoint(cut.directory / f"checkpoint-{last}")
    cut.drain.unlink()
    train(cut, config, "7.1")
    assert weights(cut) == weights(whole)
    assert events(cut) == events(whole)


def test_early_stopping_is_not_forgotten(tmp_path: Path) -> None:
    """Patience is used up in the first epochs, since F1 does not rise at this learning rate."""
    config = config_of(
        "encoder",
        training__num_train_epochs=6,
        training__learning_rate=1e-9,
        selection__early_stopping_patience=1,
    )
    whole, cut = layout_of(tmp_path / "encoder" / "whole"), layout_of(tmp_path / "encoder" / "cut")
    train(whole, config)
    attempts(cut, config, 3)
    assert events(cut) == events(whole)
    assert max(step for step, _, _ in events(whole)) < 6 * 2
    assert weights(cut) == weights(whole)


def test_what_was_not_saved_is_forgotten(twin: RunLayout, tmp_path: Path) -> None:
    """A kill between two checkpoints: metrics of the steps that are done again stand there once."""
    layout = layout_of(tmp_path / twin.approach / "killed")
    with pytest.raises(Drained):
        train(layout, config_of(twin.approach), "7", After(layout.drain, None, [], [4]))
    with layout.metrics.open("a") as file:
        file.write('{"step": 900, "loss": 1.0}\n{"step": 90')
    train(layout, config_of(twin.approach), "7.1")
    assert events(layout) == events(twin)
    assert weights(layout) == weights(twin)


def test_only_so_many_checkpoints_are_kept(twin: RunLayout) -> None:
    kept = sorted(path.name for path in twin.directory.glob("checkpoint-*"))
    limit = config_of(twin.approach).training.save_total_limit
    assert 1 <= len(kept) <= limit + 1
    for path in twin.directory.glob("checkpoint-*"):
        verify_checkpoint(path)
    assert not list(twin.directory.glob(".saving-*"))
    assert not list(twin.directory.glob(".deleting-*"))


def test_signals_are_requests(tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    layout = layout_of(tmp_path / "encoder" / "run")
    try:
        drain = listen(layout)
        assert not drain.is_asked(torch.device("cpu"))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert drain.is_asked(torch.device("cpu"))
        assert drain.reason() == "SIGUSR1"
        layout.drain.write_text('{"reason": "walltime"}')
        assert drain.reason() == "walltime"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"reason": "asked"}'])
def test_any_file_is_a_request(tmp_path: Path, content: str) -> None:
    layout = layout_of(tmp_path / "encoder" / "run")
    drain = Drain(layout.drain, tmp_path / "local", [])
    assert not drain.is_asked_here()
    layout.drain.write_text(content)
    assert drain.is_asked_here()
    assert drain.reason() in ("asked", "unknown")
    layout.drain.unlink()
    (tmp_path / "local").touch()
    assert drain.is_asked_here()
