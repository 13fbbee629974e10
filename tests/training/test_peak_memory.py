"""iacfilter_hpc.training.callbacks: what memory.json holds, with a GPU made up and without one."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from iacfilter_hpc.runs.layout import RunLayout
from tests.made_runs import MadeRuns
from tests.training.settings import TRAINS

pytestmark = TRAINS


def trained(layout: RunLayout, device: str, steps: int, *, is_main: bool = True) -> None:
    from transformers import TrainerControl

    from iacfilter_hpc.training.callbacks import PeakMemory

    watch, control = PeakMemory(layout), TrainerControl()
    args: Any = SimpleNamespace(device=SimpleNamespace(type=device))
    state: Any = SimpleNamespace(is_world_process_zero=is_main)
    for _ in range(steps):
        watch.on_step_end(args, state, control)
    watch.on_train_end(args, state, control)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from iacfilter_hpc.training import callbacks

    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 12345)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(callbacks, "_largest", lambda count, device: count + 1)


def test_the_peak_is_written_at_the_end(made: MadeRuns, gpu: None) -> None:
    layout = made.run("mine")
    trained(layout, "cuda", steps=2)
    found = json.loads(layout.memory.read_text())
    assert found == {"schema": 1, "peak_bytes": 12346, "device": "a GPU"}


@pytest.mark.parametrize(
    ("device", "steps", "is_main"), [("cpu", 2, True), ("cuda", 0, True), ("cuda", 2, False)]
)
def test_who_writes_nothing(
    made: MadeRuns, gpu: None, device: str, steps: int, is_main: bool
) -> None:
    layout = made.run("mine")
    trained(layout, device, steps, is_main=is_main)
    assert not layout.memory.exists()


def test_the_largest_of_one_process_is_its_own() -> None:
    import torch

    from iacfilter_hpc.training.callbacks import _largest

    assert _largest(7, torch.device("cpu")) == 7
