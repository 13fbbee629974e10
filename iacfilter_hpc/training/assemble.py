"""Assembly: model, tokenizer, datasets and Trainer of a run, put together for any approach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import TrainerCallback, TrainingArguments

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.dataset import HeldOut, hold_out
from iacfilter_hpc.inputs.encode import all_fitting
from iacfilter_hpc.inputs.encoded import Audit, Encoded, audit
from iacfilter_hpc.inputs.model_inputs import ModelInputs
from iacfilter_hpc.inputs.token_cache import TokenCache, TokenFolder, recipes
from iacfilter_hpc.packing.attention_choice import Choice
from iacfilter_hpc.packing.batch_sampler import Grouping
from iacfilter_hpc.samples.sample import LABELS, Sample
from iacfilter_hpc.training.approaches.base import approach_named
from iacfilter_hpc.training.phases import Phases
from iacfilter_hpc.training.trainer.decision_trainer import (
    DecisionTrainer,
    class_weights,
    confidence_weights,
)


@dataclass(frozen=True, slots=True)
class Assembly:
    """A Trainer ready to train, and what scoring must know later."""

    trainer: DecisionTrainer
    validation: HeldOut
    answers: Answers | None
    choice: Choice
    train_audit: Audit
    validation_audit: Audit
    attention: str
    """The implementation of attention that the model has come to use."""


def assemble(
    config: RunConfig,
    args: TrainingArguments,
    source: str | Path,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    callbacks: list[TrainerCallback],
    *,
    phases: Phases | None = None,
    trained: Path | None = None,
    tokens: TokenFolder | None = None,
) -> Assembly:
    """Put together all that training needs, from the model in `source` and the samples.

    `trained` is a final/ directory whose weights training goes on from; None starts afresh.
    `tokens` is where tokenised samples are kept, which are then all those of two files.

    Raises:
        DataError: samples that cannot be made to fit; each is named.
        TrainingError: there is no such model here, or it is not one of the approach.
    """
    phases = phases or Phases()
    approach = approach_named(config.approach)
    inputs = approach.load_inputs(
        source, config.model.revision, config.data.max_length, config.data.input_fields
    )
    # before the weights: samples that do not fit are told at once, and lengths choose the attention
    train_tokens, validation_tokens = _encode(config, args, inputs, train, validation, tokens)
    phases.enter("weights")
    longest = max(len(row.ids) for row in [*train_tokens, *validation_tokens])
    made = approach.load_model(
        config, args, source, inputs, longest + inputs.answer_length, trained
    )
    phases.enter("setup")
    held_out = hold_out(validation, validation_tokens, shares=made.layout == "tree")
    trainer = approach.trainer(
        model=made.model,
        args=args,
        train=inputs.training_rows(train, train_tokens),
        validation=held_out.rows,
        inputs=inputs,
        collator=made.collator,
        grouping=Grouping(
            # a device's share of a step, accumulation included: see training_arguments
            step=args.per_device_train_batch_size * args.world_size,
            processes=args.world_size,
            budget=config.token_budget,
            layout=made.layout,
        ),
        class_weights=class_weights(config.selection, [LABELS.index(s.label) for s in train]),
        callbacks=callbacks,
        confidences=confidence_weights(config.selection, [s.confidence for s in train]),
    )
    return Assembly(
        trainer=trainer,
        validation=held_out,
        answers=inputs.answers,
        choice=made.choice,
        train_audit=audit(train, train_tokens, inputs.answers),
        validation_audit=audit(validation, validation_tokens, inputs.answers),
        attention=made.attention,
    )


def _encode(
    config: RunConfig,
    args: TrainingArguments,
    inputs: ModelInputs,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    tokens: TokenFolder | None,
) -> tuple[list[Encoded], list[Encoded]]:
    """Training and validation samples as tokens.

    Raises:
        DataError: samples that cannot be made to fit; each is named.
    """

    def encode(samples: Sequence[Sample]) -> list[Encoded]:
        return all_fitting(samples, inputs.encode(samples))

    # None where what decides the tokens is not all known: those are made anew in each process
    made = recipes(config, tokens, inputs) if tokens is not None else None
    if tokens is None or made is None:
        return encode(train), encode(validation)
    # the main process makes them, the others wait and read what it has written
    cache = TokenCache(tokens.folder, writes=args.process_index == 0)
    # local=False: the runs' directory is shared by all nodes
    with args.main_process_first(local=False, desc="tokenising"):
        found = cache.encoded(made[0], train, encode), cache.encoded(made[1], validation, encode)
        if cache.writes:
            cache.forget_unused(*made)
    return found
