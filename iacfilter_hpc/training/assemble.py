"""Put together model, tokenizer, datasets and Trainer of a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    TrainerCallback,
    TrainingArguments,
)

from iacfilter_hpc.config import RunConfig, Training
from iacfilter_hpc.detections.fields import LABELS
from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.training.audit import Audit, audit
from iacfilter_hpc.training.callbacks import MetricsCallback
from iacfilter_hpc.training.choice import Choice, choose_for_prompts, choose_for_snippets
from iacfilter_hpc.training.collators import PadCollator
from iacfilter_hpc.training.data import encode_fields, encode_prompts, scoring_rows, training_rows
from iacfilter_hpc.training.encoder import EncoderTrainer, first_position, load_classifier
from iacfilter_hpc.training.generative import (
    GenerativeTrainer,
    add_adapter,
    load_base,
    model_sizes,
)
from iacfilter_hpc.training.heldout import HeldOut, hold_out
from iacfilter_hpc.training.packing import FlatCollator, TreeCollator
from iacfilter_hpc.training.peak import PeakMemory
from iacfilter_hpc.training.prompts import Answers
from iacfilter_hpc.training.sampling import Grouping
from iacfilter_hpc.training.trainer import DecisionTrainer, class_weights
from iacfilter_hpc.training.vocabulary import load_tokenizer, settle_vocabulary


@dataclass(frozen=True, slots=True)
class Assembly:
    """A Trainer ready to train, and what scoring must know later."""

    trainer: DecisionTrainer
    validation: HeldOut
    answers: Answers | None
    choice: Choice
    train_audit: Audit
    validation_audit: Audit


@dataclass(frozen=True, slots=True)
class _Parts:
    """What both approaches are assembled from."""

    config: RunConfig
    args: TrainingArguments
    train: Sequence[Sample]
    validation: Sequence[Sample]
    class_weights: tuple[float, float]
    callbacks: list[TrainerCallback]


def training_arguments(
    output: Path, training: Training, *, keep_epochs: bool = True
) -> TrainingArguments:
    """The Trainer's arguments: the configuration's own, and those that are no one's choice.

    With `keep_epochs` each epoch is evaluated and saved in `output`, and the best one wins.
    Creating them sets up devices and processes; under ZeRO-3 it must precede any model.
    """
    each = "epoch" if keep_epochs else "no"
    step = training.per_device_train_batch_size * training.gradient_accumulation_steps
    # the sampler divides a device's share of a step by tokens: to the Trainer it is one batch
    whole = {"per_device_train_batch_size": step, "gradient_accumulation_steps": 1}
    return TrainingArguments(
        **{**training.model_dump(), **whole},
        output_dir=str(output),
        data_seed=training.seed,
        eval_strategy=each,
        save_strategy=each,
        load_best_model_at_end=keep_epochs,
        metric_for_best_model="eval_f1",
        greater_is_better=True,
        label_names=["label"],
        # how much patience is left belongs to the state of a run that goes on
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        dataloader_pin_memory=not training.use_cpu,
        # a loss that is not a number must be seen
        logging_nan_inf_filter=False,
        disable_tqdm=not sys.stderr.isatty(),
        report_to="none",
    )


def run_callbacks(layout: RunLayout, config: RunConfig) -> list[TrainerCallback]:
    """What watches a run's training: its records, and early stopping if it is asked for."""
    callbacks: list[TrainerCallback] = [MetricsCallback(layout), PeakMemory(layout)]
    if config.selection.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(config.selection.early_stopping_patience))
    return callbacks


def assemble(
    config: RunConfig,
    args: TrainingArguments,
    source: str | Path,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    callbacks: list[TrainerCallback],
    trained: Path | None = None,
) -> Assembly:
    """Everything that training needs, from the model in `source` and the samples.

    `trained` is a final/ directory whose weights training goes on from; None starts afresh.
    """
    weights = class_weights(config.selection, [LABELS.index(s.label) for s in train])
    parts = _Parts(config, args, train, validation, weights, callbacks)
    build = _generative if config.approach == "generative" else _encoder
    return build(parts, source, trained)


def _generative(parts: _Parts, source: str | Path, trained: Path | None) -> Assembly:
    config = parts.config
    assert config.lora is not None, "checked by RunConfig"
    tokenizer = load_tokenizer(source, config.model.revision)
    rows, positions = model_sizes(source, config.model.revision)
    vocabulary = settle_vocabulary(tokenizer, rows)
    length = config.data.max_length
    train = encode_prompts(parts.train, vocabulary, length, positions)
    validation = encode_prompts(parts.validation, vocabulary, length, positions)
    base = load_base(source, config.model.revision, config.model.dtype)
    choice = choose_for_prompts(base, parts.args.device, config.packing.attention)
    held_out = hold_out(parts.validation, validation)
    trainer = GenerativeTrainer(
        model=add_adapter(base, config.lora, config.training, trained),
        args=parts.args,
        train=training_rows(parts.train, train, vocabulary),
        validation=held_out.rows,
        tokenizer=tokenizer,
        collator=TreeCollator(choice.form) if choice.form else PadCollator(vocabulary.pad),
        grouping=_grouping(parts, shares=choice.form is not None),
        class_weights=parts.class_weights,
        callbacks=parts.callbacks,
    )
    trainer.answers = vocabulary.answers
    return Assembly(
        trainer,
        held_out,
        vocabulary.answers,
        choice,
        audit(parts.train, train),
        audit(parts.validation, validation),
    )


def _encoder(parts: _Parts, source: str | Path, trained: Path | None) -> Assembly:
    model, data = parts.config.model, parts.config.data
    assert data.input_fields is not None, "checked by RunConfig"
    tokenizer = load_tokenizer(source, model.revision)
    train = encode_fields(parts.train, tokenizer, data.input_fields, data.max_length)
    validation = encode_fields(parts.validation, tokenizer, data.input_fields, data.max_length)
    held_out = hold_out(parts.validation, validation)
    classifier = _classifier(parts.config, source, trained)
    choice = choose_for_snippets(classifier, parts.config.packing.attention)
    pad = tokenizer.pad_token_id
    trainer = EncoderTrainer(
        model=classifier,
        args=parts.args,
        train=scoring_rows(parts.train, train),
        validation=held_out.rows,
        tokenizer=tokenizer,
        collator=FlatCollator(first_position(classifier)) if choice.form else PadCollator(pad),
        grouping=_grouping(parts, shares=False),
        class_weights=parts.class_weights,
        callbacks=parts.callbacks,
    )
    return Assembly(
        trainer,
        held_out,
        None,
        choice,
        audit(parts.train, train),
        audit(parts.validation, validation),
    )


def _grouping(parts: _Parts, shares: bool) -> Grouping:
    args = parts.args
    return Grouping(
        step=args.per_device_train_batch_size * args.world_size,
        processes=args.world_size,
        budget=parts.config.token_budget,
        shares=shares,
    )


def _classifier(config: RunConfig, source: str | Path, trained: Path | None) -> PreTrainedModel:
    if trained is not None:
        return load_classifier(trained, None, config.model.dtype)
    return load_classifier(source, config.model.revision, config.model.dtype)
