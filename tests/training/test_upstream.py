"""Methods of the Trainer and of accelerate that training overrides, or calls in private."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iacfilter_hpc.config.approaches import APPROACHES
from tests.training.settings import TRAINS
from tests.upstream import changes

pytestmark = TRAINS

TRANSFORMERS = {
    "Trainer._finalize_training": "6d6d83d6a2715f2a",
    "Trainer._get_output_dir": "97172085342ac46c",
    "Trainer._inner_training_loop": "20ec4276e99fe7ae",
    "Trainer._maybe_log_save_evaluate": "af101534f0f7b2d7",
    "Trainer._prepare_inputs": "8f8c4e430d2f96d6",
    "Trainer._run_epoch": "31aff00f34c302a2",
    "Trainer._save": "b136889e87928376",
    "Trainer._save_checkpoint": "a9111e30faa99339",
    "Trainer.compute_loss": "160dea726d2f28bd",
    "Trainer.evaluate": "47001f3acc991bc4",
    "Trainer.floating_point_ops": "ffd8b0eb8cf7c98b",
    "Trainer.get_batch_samples": "0b3727386f73f670",
    "Trainer.get_train_dataloader": "205a99685f8facd9",
    "Trainer.prediction_step": "d12d7a1d2f995f02",
    "Trainer.save_model": "705727ee10c8f24f",
    "Trainer.train": "9a3c2bcd066d8f99",
    "Trainer.training_step": "e9760c8ee10308d5",
}
"""Fingerprint of the source of each, in the version that pyproject.toml allows."""

ACCELERATE = {
    "GradientState._set_sync_gradients": "c853f24eddceec3c",
}


def ours() -> list[type]:
    """Our Trainers, of every approach."""
    from iacfilter_hpc.training.approaches.base import approach_named
    from iacfilter_hpc.training.trainer.resumable_trainer import ResumableTrainer

    for name in APPROACHES:
        approach_named(name)  # imports its Trainer
    found: list[type] = [ResumableTrainer]
    for one in found:
        found += (each for each in one.__subclasses__() if each.__module__.startswith("iacfilter"))
    return found


def relied_on() -> dict[str, Callable[..., Any]]:
    """What ours override, and what they call of the Trainer's private methods."""
    from transformers import Trainer

    # where _run_epoch and _finalize_training are called, with what and after what
    names = {"_inner_training_loop"}
    for one in ours():
        names |= {*vars(one), *_private_calls(one)}
    return {
        f"Trainer.{name}": getattr(Trainer, name)
        for name in names
        if inspect.isfunction(getattr(Trainer, name, None)) and name != "__init__"
    }


def _private_calls(one: type) -> Iterator[str]:
    yield from re.findall(r"(?:self|super\(\))\.(_[a-z]\w*)", inspect.getsource(one))


def test_no_method_that_training_relies_on_has_changed() -> None:
    told = changes("transformers", relied_on(), TRANSFORMERS, __name__)
    assert not told, told


def test_no_method_of_accelerate_has_changed() -> None:
    from accelerate.state import GradientState

    # DecisionTrainer.training_step tells with it which micro-batch of a step is the last
    found = {"GradientState._set_sync_gradients": GradientState._set_sync_gradients}
    told = changes("accelerate", found, ACCELERATE, __name__)
    assert not told, told


def test_the_loop_calls_what_is_overridden() -> None:
    """A method that nothing calls any more would be overridden in vain."""
    from transformers import Trainer

    source = inspect.getsource(Trainer)
    for name in relied_on():
        method = name.removeprefix("Trainer.")
        assert method == "train" or f"self.{method}" in source, name


def test_a_change_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Trainer

    def _run_epoch(self: Trainer) -> None:
        """Another one."""

    monkeypatch.setattr(Trainer, "_run_epoch", _run_epoch)
    told = changes("transformers", relied_on(), TRANSFORMERS, __name__)
    assert re.fullmatch(
        r"transformers \S+ has changed Trainer\._run_epoch: .*note '[0-9a-f]{16}' in \S+", told
    )
    without = {name: one for name, one in TRANSFORMERS.items() if name != "Trainer._save"}
    assert "Trainer._save is newly relied on" in changes(
        "transformers", relied_on(), without, __name__
    )
    more = {**TRANSFORMERS, "Trainer._gone": ""}
    assert "Trainer._gone is not relied on any more" in changes(
        "transformers", relied_on(), more, __name__
    )
