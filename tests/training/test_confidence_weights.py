"""Losses weighted by confidence: exact however samples are put together, and nothing when off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import set_seed

from iacfilter_hpc.config.schema import Selection
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import read_samples, write_samples
from iacfilter_hpc.training.arguments import run_callbacks, training_arguments
from iacfilter_hpc.training.assemble import assemble
from iacfilter_hpc.training.phases import Phases
from iacfilter_hpc.training.run import train
from iacfilter_hpc.training.trainer.decision_trainer import (
    DecisionTrainer,
    Micros,
    confidence_weights,
    describe_confidences,
)
from tests.training.settings import DEMO, TRAINS, run_config
from tests.training.test_resume import attempts, config_of, events, layout_of, weights

pytestmark = TRAINS

SURE = (0.9, 0.35, None, 1, 0.5, 0, 0.75, 0.6)
"""A confidence for each sample of the demo; None and 1 count fully, 0 not at all."""
ON = {"selection__confidence_weights": True}
ONE_PROCESS = {
    "lora__lora_dropout": 0.0,
    "data__max_length": 1024,
    "accelerate__num_processes": 1,
    "accelerate__deepspeed_config_file": None,
}


def trainer_of(
    approach: str,
    directory: Path,
    request: pytest.FixtureRequest,
    confidences: Sequence[float | None],
    **settings: Any,
) -> DecisionTrainer:
    """The Trainer of a run whose samples have these confidences."""
    config = run_config(approach, **(ONE_PROCESS if approach == "generative" else {}), **settings)
    directory.mkdir()
    samples, validation = (read_samples(DEMO / f"{n}.jsonl") for n in ("train", "validation"))
    sure = [replace(s, confidence=c) for s, c in zip(samples, confidences, strict=True)]
    args = training_arguments(directory, config.training)
    set_seed(config.training.seed)
    source = request.getfixturevalue(f"tiny_{approach}")
    callbacks = run_callbacks(RunLayout(directory), config, Phases())
    return assemble(config, args, source, sure, validation, callbacks).trainer


def step(trainer: DecisionTrainer, *, several: bool) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the first optimizer step, which has all 8 samples."""
    trainer.model.double().eval()  # no dropout
    trainer.model.train = lambda mode=True: trainer.model
    (micros,), count = trainer.get_batch_samples(
        iter(trainer.get_train_dataloader()), 1, trainer.args.device
    )
    assert count == len(SURE), "the mean is over all samples, whatever they weigh"
    assert (len(micros) > 1) == several
    loss = float(trainer.training_step(trainer.model, micros, count))
    named = trainer.model.named_parameters()
    return loss, {name: p.grad for name, p in named if p.grad is not None}


@pytest.mark.parametrize("approach", ["generative", "encoder"])
def test_each_loss_weighs_as_much_as_its_sample_is_sure(
    approach: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Against the sum written out, one sample a pass; then in packed micro-batches."""
    batch = {
        "training__per_device_train_batch_size": 8,
        "training__gradient_accumulation_steps": 1,
        "training__max_grad_norm": 0.0,
    }
    padded = {**batch, "packing__attention": "padded"}
    reference = trainer_of(approach, tmp_path / "reference", request, SURE, **padded)
    model = reference.model.double().eval()
    rows = Micros(reference.train_dataset)
    expected = torch.zeros((), dtype=torch.float64)
    for place, confidence in enumerate(SURE):
        one = reference.data_collator(rows[(place,)])
        loss = reference.sample_losses(model, one).sum()
        expected = expected + loss * (1.0 if confidence is None else confidence) / len(SURE)
    expected.backward()
    wanted = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    largest = max(float(gradient.abs().max()) for gradient in wanted.values())
    tokens = 900 if approach == "generative" else 40
    few = {**batch, "packing__tokens_per_batch": tokens}
    for name, settings in (("padded", padded), ("packed", few)):
        trainer = trainer_of(approach, tmp_path / name, request, SURE, **settings, **ON)
        loss, found = step(trainer, several=name == "packed")
        assert loss == pytest.approx(expected.item(), rel=1e-6)
        assert found.keys() == wanted.keys()
        for key, gradient in wanted.items():
            assert torch.allclose(found[key], gradient, rtol=0, atol=1e-6 * largest), key


@pytest.mark.parametrize("approach", ["generative", "encoder"])
def test_weights_of_one_train_bit_for_bit_as_none(
    approach: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    several = {
        "training__per_device_train_batch_size": 2,
        "training__gradient_accumulation_steps": 2,
        "training__num_train_epochs": 1,
    }
    ends = []
    for name, confidences, settings in (
        ("off", SURE, {}),
        ("ones", [1, None, 1.0, 1, None, 1, 1, 1.0], ON),
        ("on", SURE, ON),
    ):
        trainer = trainer_of(approach, tmp_path / name, request, confidences, **several, **settings)
        trainer.train()
        trained = {n: p for n, p in trainer.model.named_parameters() if p.requires_grad}
        ends.append({n: p.detach().clone() for n, p in trained.items()})
    off, ones, on = ends
    assert all(torch.equal(off[n], ones[n]) for n in off)
    assert any(not torch.equal(off[n], on[n]) for n in off)


def test_what_fills_up_a_step_has_no_part_whatever_its_confidence(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    trainer = trainer_of("encoder", tmp_path / "run", request, SURE, **ON)
    trainer.model.eval()
    rows = Micros(trainer.train_dataset)
    batches = [trainer.batch_of(rows[micro]) for micro in ((6,), (6, ~1))]
    losses = [
        trainer.compute_loss(trainer.model, batch, num_items_in_batch=1).item() for batch in batches
    ]
    whole = trainer.sample_losses(trainer.model, batches[0]).item()
    assert losses == pytest.approx([0.75 * whole] * 2, rel=1e-5)


@pytest.mark.parametrize("approach", ["generative", "encoder"])
def test_a_run_that_is_stopped_ends_with_the_same_weights(approach: str, tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    samples = read_samples(DEMO / "train.jsonl")
    write_samples(data, [replace(s, confidence=c) for s, c in zip(samples, SURE, strict=True)])
    settings = {"data__train_file": str(data), "training__num_train_epochs": 2, **ON}
    config = config_of(approach, **settings)
    whole, cut = layout_of(tmp_path / approach / "whole"), layout_of(tmp_path / approach / "cut")
    train(whole, config)
    assert attempts(cut, config, 4)
    assert weights(cut) == weights(whole)
    assert events(cut) == events(whole)


def test_weights_of_a_selection() -> None:
    made = lambda on: Selection(  # noqa: E731
        early_stopping_patience=None, class_weight=None, confidence_weights=on
    )
    assert confidence_weights(made(False), SURE) is None
    assert confidence_weights(made(True), SURE) == [0.9, 0.35, 1.0, 1.0, 0.5, 0.0, 0.75, 0.6]
    said = "losses weigh by confidence: 0.637 in the mean; 1 sample without one weighs 1"
    assert describe_confidences(SURE) == said
