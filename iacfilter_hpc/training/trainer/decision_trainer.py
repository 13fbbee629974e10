"""Decision Trainer, which all approaches share: a loss a sample, two logits a decision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from transformers import EvalPrediction, TrainerCallback, TrainingArguments

from iacfilter_hpc.config.schema import Selection
from iacfilter_hpc.errors import counted
from iacfilter_hpc.inputs.model_inputs import ModelInputs
from iacfilter_hpc.packing.batch_sampler import (
    Grouping,
    Micro,
    Sharing,
    StepSampler,
    key_of,
    sharing,
)
from iacfilter_hpc.packing.collators import Batch, Row
from iacfilter_hpc.training.trainer.resumable_trainer import ResumableTrainer


class DecisionTrainer(ResumableTrainer, ABC):
    """Trains on the mean of sample losses, and evaluates F1 of TP at probability 0.5.

    A subclass says what a sample's loss is, and how a forward pass becomes the logits [FP, TP].
    """

    # compute_loss divides by the samples of the whole optimizer step
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: nn.Module,
        args: TrainingArguments,
        train: Dataset,
        validation: Dataset,
        inputs: ModelInputs,
        collator: Callable[[Sequence[Row]], Batch],
        grouping: Grouping,
        class_weights: tuple[float, float],
        callbacks: list[TrainerCallback],
        confidences: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            train_dataset=train,
            eval_dataset=validation,
            processing_class=inputs.tokenizer,
            data_collator=collator,
            compute_metrics=score_logits,
            callbacks=callbacks,
        )
        self.inputs = inputs
        self._grouping = grouping
        self._keys = [key_of(ids) for ids in train["input_ids"]]
        self._class_weights = torch.tensor(class_weights, device=args.device)
        self._confidences = (
            None if confidences is None else torch.tensor(confidences, device=args.device)
        )

    @abstractmethod
    def sample_losses(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """The loss of each sample of a batch, shape [batch]."""

    @abstractmethod
    def decision_logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Logits of FP and TP for each sample, shape [batch, 2]."""

    def get_train_dataloader(self) -> DataLoader[list[Row]]:
        """An item is what this process does in one optimizer step: its micro-batches."""
        # Upstream hands its loader to accelerator.prepare, which would split each step over the
        # processes once more, and move batches to the device all at once.
        rows: Dataset = self.train_dataset
        sampler = StepSampler(self._keys, self._grouping, self.args.seed, self.args.process_index)
        return StepLoader(
            Micros(rows),
            batch_sampler=sampler,
            collate_fn=lambda micros: [self.batch_of(micro) for micro in micros],
            pin_memory=self.args.dataloader_pin_memory,
            # its own: a loader would draw a seed from the global random state
            generator=torch.Generator(),
        )

    def batch_of(self, micro: list[Any]) -> Batch:
        """The batch of some rows; it names them where their confidences weigh."""
        batch: Batch = self.data_collator(micro)
        # their indices, not their weights: DeepSpeed rounds what is no whole number to 16 bits
        if self._confidences is not None:
            batch["index"] = torch.tensor([row["index"] for row in micro])
        return batch

    def sharing(self) -> Sharing | None:
        """Sharing of beginnings among the prompts of a step; None for rows that share nothing."""
        if self._grouping.layout != "tree":
            return None
        return sharing(self._keys, self._grouping, self.args.seed)

    def get_batch_samples(
        self, epoch_iterator: Iterator[list[Batch]], num_batches: int, device: torch.device
    ) -> tuple[list[list[Batch]], torch.Tensor]:
        """The micro-batches of one optimizer step, and its samples on all processes."""
        # Upstream takes num_batches items and counts the tokens of `labels` that the loss sees
        # (_get_num_items_in_batch). Here an item is a step already, and its loss is the mean over
        # samples, of which those that only fill up micro-batches have weight 0.
        assert num_batches == 1, "an item is a whole step"
        micros = next(epoch_iterator)
        count = torch.stack([micro["weight"].sum() for micro in micros]).sum().to(device)
        return [micros], self.accelerator.gather(count).sum()

    def training_step(
        self,
        model: nn.Module,
        inputs: list[Batch],  # type: ignore[override]  # the Trainer's own is one micro-batch
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Gradients of one optimizer step, one micro-batch after another; its loss."""
        # Upstream takes one micro-batch; _run_epoch accumulates over as many as the Trainer was
        # told of, which is one (see training.arguments), and syncs gradients on each.
        losses = []
        for number, micro in enumerate(inputs, start=1):
            # only the last one lets DeepSpeed step, and adds up the gradients of all processes
            self.accelerator.gradient_state._set_sync_gradients(number == len(inputs))
            losses.append(super().training_step(model, micro, num_items_in_batch))
        return torch.stack(losses).sum()

    def floating_point_ops(self, inputs: object) -> int:
        """0, not counted: transformers' estimate knows neither packed rows nor frozen weights."""
        return 0

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """This micro-batch's part of the mean over all samples of the optimizer step."""
        assert num_items_in_batch is not None and not return_outputs, "only called by training_step"
        losses = self.sample_losses(model, inputs) * self._class_weights[inputs["label"]]
        losses = losses * inputs["weight"]
        # beside `weight`, whose sum counts the step's samples: the mean is over all of them, so
        # that a step of doubtful samples pulls less than one of sure ones
        if self._confidences is not None:
            losses = losses * self._confidences[inputs["index"]]
        # gradients are averaged over processes: each contributes its share times their number
        loss: torch.Tensor = losses.sum() * self.args.world_size / num_items_in_batch
        return loss

    def prediction_step(
        self,
        model: nn.Module,
        inputs: Batch,
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Logits [batch, 2] and labels [batch], from one forward pass.

        No loss: the Trainer's mean of batch means would count the samples that fill up batches.
        """
        self.stop_if_asked()
        batch = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            logits = self.decision_logits(model, batch).float()
        return None, logits, batch["label"]


class Micros(TorchDataset[list[Row]]):
    """Rows by micro-batch."""

    def __init__(self, rows: Dataset) -> None:
        self._rows = rows

    def __len__(self) -> int:
        """Rows, as the Trainer counts them."""
        return len(self._rows)

    def __getitem__(self, micro: Micro) -> list[Row]:
        return [self._row(i) for i in micro]

    def _row(self, i: int) -> Row:
        # ~i is row i with no part in the loss (see Micro): the larger of the two is the index
        place = max(i, ~i)
        return cast(Row, {**self._rows[place], "weight": float(i >= 0), "index": place})


class StepLoader(DataLoader[list[Row]]):
    """Data loader of whole steps, which hands the epoch on to its sampler.

    The Trainer looks for one only where accelerate keeps it.
    """

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before each epoch."""
        assert isinstance(self.batch_sampler, StepSampler)
        self.batch_sampler.set_epoch(epoch)


def score_logits(prediction: EvalPrediction) -> dict[str, float]:
    """Mean cross entropy; precision, recall and F1 of TP if its logit is not below that of FP."""
    logits = np.asarray(prediction.predictions)
    predicted = logits[:, 1] >= logits[:, 0]
    truth = np.asarray(prediction.label_ids) == 1
    # of two classes: the softplus of how far the wrong logit lies above the right one
    losses = np.logaddexp(0, np.where(truth, -1, 1) * (logits[:, 1] - logits[:, 0]))
    return {
        "loss": float(losses.mean()),
        "f1": float(f1_score(truth, predicted, zero_division=0)),
        "precision": float(precision_score(truth, predicted, zero_division=0)),
        "recall": float(recall_score(truth, predicted, zero_division=0)),
    }


def class_weights(selection: Selection, labels: Sequence[int]) -> tuple[float, float]:
    """Weights of FP and TP in the loss; balanced ones are sklearn's, of the training labels."""
    match selection.class_weight:
        case None:
            return 1.0, 1.0
        case "balanced":
            fp, tp = compute_class_weight("balanced", classes=np.array([0, 1]), y=np.array(labels))
            return float(fp), float(tp)
        case weights:
            return weights


def confidence_weights(
    selection: Selection, confidences: Sequence[float | None]
) -> list[float] | None:
    """How much each sample's loss counts by its confidence, 1 without one; None if all count 1."""
    if not selection.confidence_weights:
        return None
    return [1.0 if confidence is None else float(confidence) for confidence in confidences]


def describe_confidences(confidences: Sequence[float | None]) -> str:
    """One line for the log: how much samples that weigh by their confidence count."""
    known = [each for each in confidences if each is not None]
    lacking = len(confidences) - len(known)
    weight = (sum(known) + lacking) / len(confidences)
    without = counted(lacking, "sample without one weighs", "samples without one weigh")
    return f"losses weigh by confidence: {weight:.3f} in the mean; {without} 1"
