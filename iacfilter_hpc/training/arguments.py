"""Trainer arguments and callbacks, from a run's configuration."""

from __future__ import annotations

import sys
from pathlib import Path

from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments

from iacfilter_hpc.config.schema import RunConfig, Training
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.training.callbacks import FirstStep, MetricsCallback, PeakMemory
from iacfilter_hpc.training.phases import Phases


def training_arguments(
    output: Path, training: Training, *, keep_epochs: bool = True
) -> TrainingArguments:
    """Trainer arguments: the configuration's own, and those that are no one's choice.

    With `keep_epochs` each epoch is evaluated and saved in `output`, and the best one wins.
    Creating them sets up devices and processes; under ZeRO-3 it must precede any model.
    """
    # one word for both: load_best_model_at_end needs a checkpoint of each evaluation
    each = "epoch" if keep_epochs else "no"
    # Left to accumulate by itself, the Trainer would take a fixed number of micro-batches a step,
    # each of so many samples. Ours differ in both from step to step, as a token budget divides the
    # step (see packing.batch_sampler). So it is told that a device's whole share of a step is one
    # batch: it counts steps and epochs right, and DecisionTrainer.training_step accumulates.
    # DeepSpeed's "auto" takes these two numbers as well, and scales nothing by the second.
    share = training.per_device_train_batch_size * training.gradient_accumulation_steps
    one_batch = {"per_device_train_batch_size": share, "gradient_accumulation_steps": 1}
    return TrainingArguments(
        **{**training.model_dump(), **one_batch},
        output_dir=str(output),
        data_seed=training.seed,
        eval_strategy=each,
        save_strategy=each,
        load_best_model_at_end=keep_epochs,
        metric_for_best_model="eval_f1",
        greater_is_better=True,
        # upstream would take the parameters of the model's forward whose names hold "label"
        label_names=["label"],
        # how much patience is left belongs to the state of a run that goes on
        restore_callback_states_from_checkpoint=True,
        # upstream drops what forward does not take; our losses need `label` all the same
        remove_unused_columns=False,
        # there is nothing to copy to, and PyTorch would warn of it
        dataloader_pin_memory=not training.use_cpu,
        # a loss that is not a number must be seen
        logging_nan_inf_filter=False,
        disable_tqdm=not sys.stderr.isatty(),
        report_to="none",
    )


def run_callbacks(layout: RunLayout, config: RunConfig, phases: Phases) -> list[TrainerCallback]:
    """Callbacks of a run's training: its records, and early stopping if it is asked for."""
    metrics = MetricsCallback(layout)
    callbacks: list[TrainerCallback] = [
        metrics,
        FirstStep(phases, metrics),
        PeakMemory(layout),
    ]
    if config.selection.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(config.selection.early_stopping_patience))
    return callbacks
