"""Approach: the interface of each kind of model to training, scoring and saving; its look-up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from transformers import TrainingArguments

from iacfilter_hpc.config.approaches import find_approach
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.model_inputs import ModelInputs
from iacfilter_hpc.packing.attention_choice import Choice
from iacfilter_hpc.packing.batch_sampler import RowLayout
from iacfilter_hpc.packing.collators import Batch, Row
from iacfilter_hpc.trained_model.card import CardFacts
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.save import Weights
from iacfilter_hpc.training.approaches.scorer import Scorer
from iacfilter_hpc.training.trainer.decision_trainer import DecisionTrainer


@dataclass(frozen=True, slots=True)
class TrainableModel:
    """A model to train, and how rows are laid out for it.

    `choice` says which attention packed rows have, `attention` which implementation of transformers
    the model has come to use.
    """

    model: nn.Module
    choice: Choice
    attention: str
    layout: RowLayout
    collator: Callable[[Sequence[Row]], Batch]


class Approach(ABC):
    """One kind of model, from tokens to a final/ that scores.

    A subclass has no state: an instance is made wherever one is needed. Its name, its rules and its
    defaults are in its ApproachEntry (iacfilter_hpc.config.approaches).
    """

    trainer: ClassVar[type[DecisionTrainer]]
    """Knows the loss of a sample, and how a forward pass becomes the logits [FP, TP]."""
    weights: ClassVar[Weights]
    """The file of trained weights that its Trainer leaves in final/."""
    card: ClassVar[CardFacts]
    """What README.md in final/ says of this kind of model."""
    tokens_per_batch: ClassVar[Mapping[str, int]]
    """Tokens that scoring computes at once, by kind of device: `cpu` and `cuda`."""

    @abstractmethod
    def load_inputs(
        self,
        source: str | Path,
        revision: str | None,
        max_length: int,
        input_fields: Sequence[str] | None,
    ) -> ModelInputs:
        """Inputs for the model in `source` (a directory or a hub name): how it takes samples.

        Its weights are not loaded: data are checked and tokenised before any are.

        Raises:
            TrainingError: there is no such model here, or it is not one of this approach.
        """

    @abstractmethod
    def load_model(
        self,
        config: RunConfig,
        args: TrainingArguments,
        source: str | Path,
        inputs: ModelInputs,
        longest: int,
        trained: Path | None,
    ) -> TrainableModel:
        """The model in `source`, or with the weights that the final/ directory `trained` has.

        `inputs` are those of load_inputs; `longest` is the most tokens of a row, answer included.
        """

    @abstractmethod
    def load_scorer(self, final: Path, decision: Decision, device: torch.device) -> Scorer:
        """The model of a final/ directory, whose files are known to be whole.

        Raises:
            TrainingError: it cannot score as training did.
            OSError, ValueError, RuntimeError, SafetensorError: it cannot be loaded.
        """

    @abstractmethod
    def write_tiny_model(self, directory: Path, texts: Sequence[str]) -> None:
        """A tiny random model that load_inputs and load_model take; `texts` make a tokenizer."""

    def base_model(self, final: Path, name: str) -> str | Path:
        """Name or directory of the model that the weights in `final` belong to.

        `name` is that of the pretrained one. Whole weights need no other: they are in `final`.
        """
        return final


def approach_named(name: str) -> Approach:
    """The approach that a configuration or a decision.json names.

    Raises:
        UsageError: there is none.
        TrainingError: what its entry names cannot be imported, or is no Approach.
    """
    entry = find_approach(name)
    # imported by name and only here: its entry is read by commands that must not import torch
    module, _, attribute = entry.implementation.partition(":")
    hint = f"its ApproachEntry names it as implementation={entry.implementation!r}"
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise TrainingError(
            f"the approach {name} cannot be loaded from {entry.implementation}: {error}", hint=hint
        ) from error
    # said here rather than by an AttributeError in the middle of a run: another package wrote it
    if not (isinstance(found, type) and issubclass(found, Approach)):
        raise TrainingError(f"{entry.implementation} is no class of an approach", hint=hint)
    made: Approach = found()
    return made
