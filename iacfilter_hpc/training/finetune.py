"""Fine-tuning of a finished model on more samples, with held-out ones scored after some epochs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.training.approaches.base import approach_named
from iacfilter_hpc.training.arguments import training_arguments
from iacfilter_hpc.training.assemble import Assembly, assemble
from iacfilter_hpc.training.precision import settle_precision, visible_gpu

LogOdds = tuple[float, ...]
"""Log-odds of TP of some samples, in their order, before any temperature."""


def fine_tune(
    layout: RunLayout,
    config: RunConfig,
    train: Sequence[Sample],
    held_out: Sequence[Sample],
    epochs: Sequence[int],
    seed: int,
) -> list[LogOdds]:
    """Log-odds of `held_out` after each number of `epochs` of training on `train`.

    Every call starts from the run's final/; 0 epochs scores that as it is. The learning rate is
    the run's, constant, so that fewer epochs are the beginning of more. Nothing is kept.

    Raises:
        DataError: prompts that cannot be made to fit.
        TrainingError: the device that is here cannot train this run.
    """
    # the Trainer makes its output directory even where it saves nothing
    with tempfile.TemporaryDirectory(prefix="iacfilter-") as output:
        tuning = _tuning(config, max(epochs), seed)
        args = training_arguments(Path(output), tuning.training, keep_epochs=False)
        # before the model is there, as in training.run: what is drawn for it follows from the seed
        set_seed(seed)
        scores = _ScoreEpochs(frozenset(epochs))
        approach = approach_named(config.approach)
        source = approach.base_model(layout.final, config.model.model_name_or_path)
        made = assemble(tuning, args, source, train, held_out, [scores], trained=layout.final)
        # stdout is for answers alone, and one short training of many is no progress to show
        for chatty in (PrinterCallback, ProgressCallback):
            made.trainer.remove_callback(chatty)
        scores.watch(made)
        if max(epochs):
            made.trainer.train()
    return [scores.found[epoch] for epoch in epochs]


class _ScoreEpochs(TrainerCallback):
    """Callback that scores the held-out samples before training and after the wanted epochs."""

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._made: Assembly | None = None
        self.found: dict[int, LogOdds] = {}

    def watch(self, made: Assembly) -> None:
        """Begin: the Trainer has to exist before its model can score."""
        self._made = made
        self._score(0)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Score, if this epoch is wanted."""
        # a float that counts in steps, and is a whole number here but for rounding
        self._score(round(state.epoch or 0))

    def _score(self, epoch: int) -> None:
        if epoch in self._wanted:
            assert self._made is not None, "watch() comes first"
            held_out = self._made.validation
            self.found[epoch] = tuple(held_out.log_odds(self._made.trainer.predict(held_out.rows)))


def _tuning(config: RunConfig, epochs: int, seed: int) -> RunConfig:
    """The run's configuration, on the device that is here, with a constant learning rate."""
    on_gpu = torch.cuda.is_available()
    training = config.training.model_copy(
        update={
            "num_train_epochs": float(max(1, epochs)),
            "lr_scheduler_type": "constant",
            "warmup_steps": 0.0,
            "seed": seed,
            # where the run was trained says nothing of the machine that tunes it now
            "use_cpu": not on_gpu,
            "bf16": config.training.bf16 and on_gpu,
            "tf32": config.training.tf32 if on_gpu else None,
            # compiling takes longer than these short trainings
            "torch_compile": False,
        }
    )
    # FlashAttention, which a run may name, has no form for CPUs
    attention = config.model.attn_implementation if on_gpu else None
    model = config.model.model_copy(update={"attn_implementation": attention})
    return settle_precision(
        config.model_copy(update={"training": training, "model": model}), visible_gpu()
    )
