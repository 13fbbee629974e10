"""The Trainer that both approaches share: a loss a sample, two logits a decision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from transformers import (
    EvalPrediction,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainingArguments,
)

from iacfilter_hpc.config import Selection
from iacfilter_hpc.training.collators import Batch, PadCollator
from iacfilter_hpc.training.durable import DurableTrainer
from iacfilter_hpc.training.sampling import LengthBucketSampler


class DecisionTrainer(DurableTrainer, ABC):
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
        tokenizer: PreTrainedTokenizerBase,
        pad: int,
        class_weights: tuple[float, float],
        callbacks: list[TrainerCallback],
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            train_dataset=train,
            eval_dataset=validation,
            processing_class=tokenizer,
            data_collator=PadCollator(pad),
            compute_metrics=score_logits,
            callbacks=callbacks,
        )
        self._lengths: list[int] = train["length"]
        self._class_weights = torch.tensor(class_weights, device=args.device)

    @abstractmethod
    def sample_losses(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """The loss of each sample of a batch, shape [batch]."""

    @abstractmethod
    def decision_logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Logits of FP and TP for each sample, shape [batch, 2]."""

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Batch], torch.Tensor]:
        """The micro-batches of one optimizer step, and its samples on all processes."""
        batches: list[Batch] = []
        for _, batch in zip(range(num_batches), epoch_iterator, strict=False):
            batches.append(batch)
        count = torch.tensor(sum(len(batch["label"]) for batch in batches), device=device)
        return batches, self.accelerator.gather(count).sum()

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

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> LengthBucketSampler:
        step = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthBucketSampler(self._lengths, step * self.args.world_size, self.args.seed)


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
