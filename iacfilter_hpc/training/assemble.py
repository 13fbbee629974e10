"""Put together model, tokenizer, datasets and Trainer of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainingArguments,
)

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.dataset import HeldOut, hold_out, scoring_rows, training_rows
from iacfilter_hpc.inputs.encode import encode_fields, encode_prompts
from iacfilter_hpc.inputs.encoded import Audit, Encoded, audit
from iacfilter_hpc.inputs.token_cache import TokenCache, TokenPlace, recipes
from iacfilter_hpc.inputs.tokenizer import load_tokenizer, settle_special_tokens
from iacfilter_hpc.packing.attention_choice import Choice, choose_for_prompts, choose_for_snippets
from iacfilter_hpc.packing.batch_sampler import Grouping, RowLayout
from iacfilter_hpc.packing.collators import FlatCollator, PadCollator, TreeCollator
from iacfilter_hpc.samples.sample import LABELS, Sample
from iacfilter_hpc.training.approaches.encoder import (
    EncoderTrainer,
    first_position,
    load_classifier,
)
from iacfilter_hpc.training.approaches.generative import (
    GenerativeTrainer,
    add_adapter,
    load_base,
    model_sizes,
)
from iacfilter_hpc.training.approaches.loading import attention_of, loading_for
from iacfilter_hpc.training.phases import Phases
from iacfilter_hpc.training.trainer import DecisionTrainer, class_weights


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


@dataclass(frozen=True, slots=True)
class _Parts:
    """What both approaches are assembled from."""

    config: RunConfig
    args: TrainingArguments
    train: Sequence[Sample]
    validation: Sequence[Sample]
    class_weights: tuple[float, float]
    callbacks: list[TrainerCallback]
    phases: Phases
    tokens: TokenPlace | None


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
    tokens: TokenPlace | None = None,
) -> Assembly:
    """Everything that training needs, from the model in `source` and the samples.

    `trained` is a final/ directory whose weights training goes on from; None starts afresh.
    `tokens` is where tokenised samples are kept, which are then all those of two files.
    """
    weights = class_weights(config.selection, [LABELS.index(s.label) for s in train])
    parts = _Parts(config, args, train, validation, weights, callbacks, phases or Phases(), tokens)
    build = _generative if config.approach == "generative" else _encoder
    return build(parts, source, trained)


def _generative(parts: _Parts, source: str | Path, trained: Path | None) -> Assembly:
    config = parts.config
    assert config.lora is not None, "checked by RunConfig"
    tokenizer = load_tokenizer(source, config.model.revision)
    rows, positions = model_sizes(source, config.model.revision)
    prompt_tokenizer = settle_special_tokens(tokenizer, rows)
    length = config.data.max_length
    train, validation = _encode(
        parts,
        tokenizer,
        lambda samples: encode_prompts(samples, prompt_tokenizer, length, positions),
        positions,
        prompt_tokenizer.answers,
    )
    parts.phases.enter("weights")
    loading = loading_for(config.model, parts.args)
    base = load_base(source, config.model.revision, config.model.dtype, loading)
    longest = (
        max(len(row.ids) for row in [*train, *validation]) + prompt_tokenizer.answers.longest + 1
    )
    choice = choose_for_prompts(base, parts.args.device, config.packed_attention, longest)
    model = add_adapter(base, config.lora, config.training, trained)
    parts.phases.enter("setup")
    held_out = hold_out(parts.validation, validation, choice.form is not None)
    trainer = GenerativeTrainer(
        model=model,
        args=parts.args,
        train=training_rows(parts.train, train, prompt_tokenizer),
        validation=held_out.rows,
        tokenizer=tokenizer,
        collator=TreeCollator(choice.form) if choice.form else PadCollator(prompt_tokenizer.pad),
        grouping=_grouping(parts, "tree" if choice.form else "padded"),
        class_weights=parts.class_weights,
        callbacks=parts.callbacks,
    )
    trainer.answers = prompt_tokenizer.answers
    return Assembly(
        trainer,
        held_out,
        prompt_tokenizer.answers,
        choice,
        audit(parts.train, train),
        audit(parts.validation, validation),
        attention_of(base),
    )


def _encoder(parts: _Parts, source: str | Path, trained: Path | None) -> Assembly:
    fields, length = parts.config.data.input_fields, parts.config.data.max_length
    assert fields is not None, "checked by RunConfig"
    tokenizer = load_tokenizer(source, parts.config.model.revision)
    train, validation = _encode(
        parts, tokenizer, lambda samples: encode_fields(samples, tokenizer, fields, length)
    )
    parts.phases.enter("weights")
    classifier = _classifier(parts, source, trained)
    choice = choose_for_snippets(classifier, parts.config.packed_attention)
    parts.phases.enter("setup")
    held_out = hold_out(parts.validation, validation, shares=False)
    pad = tokenizer.pad_token_id
    trainer = EncoderTrainer(
        model=classifier,
        args=parts.args,
        train=scoring_rows(parts.train, train),
        validation=held_out.rows,
        tokenizer=tokenizer,
        collator=FlatCollator(first_position(classifier)) if choice.form else PadCollator(pad),
        grouping=_grouping(parts, "flat" if choice.form else "padded"),
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
        attention_of(classifier),
    )


def _grouping(parts: _Parts, layout: RowLayout) -> Grouping:
    args = parts.args
    return Grouping(
        step=args.per_device_train_batch_size * args.world_size,
        processes=args.world_size,
        budget=parts.config.token_budget,
        layout=layout,
    )


def _classifier(parts: _Parts, source: str | Path, trained: Path | None) -> PreTrainedModel:
    model, loading = parts.config.model, loading_for(parts.config.model, parts.args)
    if trained is not None:
        return load_classifier(trained, None, model.dtype, loading)
    return load_classifier(source, model.revision, model.dtype, loading)


def _encode(
    parts: _Parts,
    tokenizer: PreTrainedTokenizerBase,
    encode: Callable[[Sequence[Sample]], list[Encoded]],
    positions: int | None = None,
    answers: Answers | None = None,
) -> tuple[list[Encoded], list[Encoded]]:
    """Training and validation samples as tokens; `positions` (tokens) are the model's."""
    place = parts.tokens
    if place is None:
        return encode(parts.train), encode(parts.validation)
    made = recipes(parts.config, place, tokenizer, positions, answers)
    if made is None:
        return encode(parts.train), encode(parts.validation)
    cache = TokenCache(place.folder, writes=parts.args.process_index == 0)
    # local=False: the runs' directory is shared by all nodes
    with parts.args.main_process_first(local=False, desc="tokenising"):
        train = cache.encoded(made[0], parts.train, encode)
        validation = cache.encoded(made[1], parts.validation, encode)
        if cache.writes:
            cache.forget_unused(*made)
    return train, validation
