"""Loss scaling, class weights, epoch orders, and logits from one forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from transformers import EvalPrediction, set_seed

from iacfilter_hpc.config.schema import Selection
from iacfilter_hpc.packing.collators import PadCollator
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.training.approaches.generative import answer_logits, answer_losses
from iacfilter_hpc.training.arguments import run_callbacks, training_arguments
from iacfilter_hpc.training.assemble import Assembly, assemble
from iacfilter_hpc.training.phases import Phases
from iacfilter_hpc.training.trainer.decision_trainer import Micros, class_weights, score_logits
from tests.training.settings import DEMO, TRAINS, run_config

pytestmark = TRAINS

APPROACHES: list[str] = ["generative", "encoder"]


def assembled(
    approach: str, directory: Path, request: pytest.FixtureRequest, **settings: Any
) -> Assembly:
    if approach == "generative":
        settings = {
            "lora__lora_dropout": 0.0,
            "data__max_length": 1024,
            "accelerate__num_processes": 1,
            "accelerate__deepspeed_config_file": None,
            **settings,
        }
    config = run_config(approach, **settings)
    layout = RunLayout(directory)
    directory.mkdir()
    train, validation = (read_samples(DEMO / f"{n}.jsonl") for n in ("train", "validation"))
    args = training_arguments(directory, config.training)
    set_seed(config.training.seed)
    source = request.getfixturevalue(f"tiny_{approach}")
    callbacks = run_callbacks(layout, config, Phases())
    return assemble(config, args, source, train, validation, callbacks)


def gradients(
    approach: str,
    directory: Path,
    request: pytest.FixtureRequest,
    batch: int,
    accumulation: int,
    **settings: Any,
) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the first optimizer step (8 samples in all)."""
    made = assembled(
        approach,
        directory,
        request,
        training__per_device_train_batch_size=batch,
        training__gradient_accumulation_steps=accumulation,
        training__max_grad_norm=0.0,
        **settings,
    )
    trainer = made.trainer
    trainer.model.double().eval()  # no dropout
    trainer.model.train = lambda mode=True: trainer.model
    (micros,), count = trainer.get_batch_samples(
        iter(trainer.get_train_dataloader()), 1, trainer.args.device
    )
    assert count == 8 and (len(micros) > 1) == ("packing__tokens_per_batch" in settings)
    loss = float(trainer.training_step(trainer.model, micros, count))
    named = trainer.model.named_parameters()
    return loss, {name: p.grad for name, p in named if p.grad is not None}


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("weight", [None, [1.0, 3.0]])
def test_how_samples_are_put_together_changes_nothing(
    approach: str, weight: object, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One padded batch of the step's samples gives the gradients of any packed micro-batches."""
    settings = {"selection__class_weight": weight}
    padded = {**settings, "packing__attention": "padded"}
    whole, expected = gradients(approach, tmp_path / "padded", request, 8, 1, **padded)
    tokens = 900 if approach == "generative" else 40
    for batch, steps, budget in ((8, 1, None), (1, 8, tokens), (3, 3, tokens)):
        few = {} if budget is None else {"packing__tokens_per_batch": budget}
        directory = tmp_path / f"{steps}x{batch}"
        loss, found = gradients(approach, directory, request, batch, steps, **settings, **few)
        assert loss == pytest.approx(whole, rel=1e-6)
        largest = max(float(gradient.abs().max()) for gradient in expected.values())
        for name, gradient in expected.items():
            assert torch.allclose(found[name], gradient, rtol=0, atol=1e-6 * largest), name


def test_validation_loss_is_the_mean_over_samples() -> None:
    logits, labels = torch.tensor([[1.0, 3.0], [0.5, -2.0], [4.0, 4.0]]), torch.tensor([1, 1, 0])
    found = score_logits(EvalPrediction(logits.numpy(), labels.numpy()))
    expected = torch.nn.functional.cross_entropy(logits, labels)
    assert found["loss"] == pytest.approx(expected.item())
    assert (found["precision"], found["recall"], found["f1"]) == (0.5, 0.5, 0.5)


def test_class_weights() -> None:
    labels = [0, 0, 0, 1]
    made = lambda weight: class_weights(  # noqa: E731
        Selection(early_stopping_patience=None, class_weight=weight, confidence_weights=False),
        labels,
    )
    balanced = compute_class_weight("balanced", classes=np.array([0, 1]), y=np.array(labels))
    assert made(None) == (1.0, 1.0)
    assert made((0.5, 2.0)) == (0.5, 2.0)
    assert made("balanced") == pytest.approx(tuple(balanced))


@pytest.mark.parametrize("approach", APPROACHES)
def test_weights_scale_each_sample(
    approach: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    plain = assembled(approach, tmp_path / "a", request).trainer
    weighted = assembled(
        approach, tmp_path / "b", request, selection__class_weight=[2.0, 5.0]
    ).trainer
    plain.model.eval()
    weighted.model.eval()
    (batch,) = next(iter(plain.get_train_dataloader()))
    losses = plain.sample_losses(plain.model, batch)
    expected = (losses * torch.tensor([2.0, 5.0])[batch["label"]]).mean()
    count = len(batch["label"])
    found = weighted.compute_loss(weighted.model, batch, num_items_in_batch=count)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("attention", ["auto", "padded"])
@pytest.mark.parametrize("approach", APPROACHES)
def test_what_fills_up_a_step_does_not_count(
    approach: str, attention: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A process without a sample of its own computes one with no part in the loss."""
    trainer = assembled(approach, tmp_path / "run", request, packing__attention=attention).trainer
    trainer.model.eval()
    rows = Micros(trainer.train_dataset)
    alone, filled = (trainer.data_collator(rows[micro]) for micro in ((3,), (3, ~5)))
    expected = trainer.compute_loss(trainer.model, alone, num_items_in_batch=1)
    found = trainer.compute_loss(trainer.model, filled, num_items_in_batch=1)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    counted = trainer.data_collator(rows[(3, 5)])
    assert trainer.compute_loss(trainer.model, counted, num_items_in_batch=1) > 1.2 * expected


def test_answer_loss_is_the_models_own(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Summed over answer and EOS, a row at a time, against the model's mean over tokens."""
    trainer = assembled(
        "generative", tmp_path / "run", request, packing__attention="padded"
    ).trainer
    trainer.model.eval()
    rows = list(trainer.train_dataset)[:3]
    losses = answer_losses(trainer.model, PadCollator(0)(rows))
    for row, loss in zip(rows, losses, strict=True):
        ids, labels = (torch.tensor([row[name]]) for name in ("input_ids", "labels"))
        mean = trainer.model(input_ids=ids, labels=labels).loss
        tokens = (labels != -100).sum()
        assert loss.item() == pytest.approx((mean * tokens).item(), rel=1e-5)


def test_decision_logits_do_not_depend_on_padding(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made = assembled("generative", tmp_path / "run", request, packing__attention="padded")
    model, answers = made.trainer.model.eval(), made.answers
    assert answers is not None
    rows = list(made.validation.rows)
    together = answer_logits(model, PadCollator(0)(rows), answers)
    for row, logits in zip(rows, together, strict=True):
        alone = model(input_ids=torch.tensor([row["input_ids"]])).logits[0, -1]
        expected = alone[[answers.fp[0], answers.tp[0]]]
        assert torch.allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("attention", ["blocks", "padded"])
def test_16_bits_reach_an_encoder_however_its_rows_are_laid(
    attention: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Packed rows go past the pass of the model that accelerate puts under autocast."""
    settings = {"training__bf16": True, "packing__attention": attention}
    trainer = assembled("encoder", tmp_path / "run", request, **settings).trainer
    found: list[torch.dtype] = []
    dense = trainer.model.base_model.encoder.layer[0].intermediate.dense
    dense.register_forward_hook(lambda _, __, output: found.append(output.dtype))
    (micro,) = next(iter(trainer.get_train_dataloader()))
    trainer.sample_losses(trainer.model, micro)
    trainer.decision_logits(trainer.model, micro)
    assert found == [torch.bfloat16] * 2


def test_each_epoch_has_its_own_order_and_each_run_the_same(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    runs = []
    for name in ("a", "b"):
        trainer = assembled(
            "encoder",
            tmp_path / name,
            request,
            training__num_train_epochs=2,
            training__per_device_train_batch_size=1,
        ).trainer
        seen: list[tuple[int, ...]] = []
        losses = trainer.sample_losses

        def spy(model, batch, losses=losses, seen=seen):  # type: ignore[no-untyped-def]
            ids, lengths = batch["input_ids"][0], batch["inside"].sum(dim=1).tolist()
            seen.extend(tuple(row.tolist()) for row in ids.split(lengths))
            return losses(model, batch)

        trainer.sample_losses = spy  # type: ignore[method-assign]
        trainer.train()
        runs.append(seen)
    assert runs[0] == runs[1]
    first, second = runs[0][:8], runs[0][8:]
    assert sorted(first) == sorted(second) and first != second


def test_activation_checkpointing_trains_the_adapter(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    plain = gradients("generative", tmp_path / "a", request, 8, 1)
    settings = {"training__activation_checkpointing": True}
    trainer = assembled("generative", tmp_path / "b", request, **settings).trainer
    trainer.args.max_steps = 1
    trainer.train()
    trained = {n: p for n, p in trainer.model.named_parameters() if p.requires_grad}
    assert trained.keys() == plain[1].keys()
    assert all(p.grad is not None or "lora" in n for n, p in trained.items())
    assert trainer.model.config.use_cache is False
