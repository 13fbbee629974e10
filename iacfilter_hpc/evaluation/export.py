"""Export: a trained adapter merged into its model, which then needs no base model and no PEFT."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import ModelCard
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from iacfilter_hpc.checkpoints.manifest import CARD, write_manifest
from iacfilter_hpc.checkpoints.manifest import FILE as MANIFEST
from iacfilter_hpc.checkpoints.permissions import share
from iacfilter_hpc.config.approaches import find_approach
from iacfilter_hpc.errors import IacfilterError, counted
from iacfilter_hpc.evaluation.predict import load_uncalibrated, score_log_odds
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.calibration import FILE as CALIBRATION
from iacfilter_hpc.trained_model.calibration import carry_over
from iacfilter_hpc.trained_model.card import merged_card
from iacfilter_hpc.trained_model.decision import FILE as DECISION
from iacfilter_hpc.trained_model.decision import read_decision, write_decision

ANEW = (CARD, MANIFEST, DECISION, CALIBRATION)
"""Files of a model that are written anew, for other weights and another dtype."""
Dtype = Literal["bfloat16", "float16", "float32"]

# they ship with the package: an export can be compared wherever it is made
DEMO = ("train.jsonl", "validation.jsonl", "test.jsonl")


@dataclass(frozen=True, slots=True)
class Exported:
    """Exported model, and by how much its log-odds differ from the adapter's."""

    directory: str
    parameters: int
    dtype: str
    largest_difference: float
    compared: int


def export(final: Path, directory: Path, dtype: Dtype | None = None) -> Exported:
    """Merge the adapter in `final`, write all to `directory`, and score with what was written.

    Merged weights are rounded to their own type, which in 16 bits is not what the adapter adds:
    that is why both are compared, on the shipped demo samples.

    Raises:
        TrainingError: `final` holds no whole model.
        IacfilterError: it has no adapter, `directory` exists, or it cannot be written.
    """
    decision = read_decision(final)
    entry = find_approach(decision.approach)
    if not entry.lora:
        raise IacfilterError(
            f"{final} is {entry.kind}, and stands alone already", hint="copy it, with every file"
        )
    if decision.quantization is not None:
        raise IacfilterError(
            f"{final} was trained beside weights in {decision.quantization}: no merged model of "
            "whole weights would decide as it does",
            hint="iacfilter-filter and iacfilter-evaluate take it as it is, on a GPU",
        )
    if directory.exists():
        raise IacfilterError(
            f"{directory} exists", hint="-o names a directory that is not there yet"
        )
    scorer = load_uncalibrated(final)
    samples = [row for name in DEMO for row in read_samples(resource("configs", "demo", name))]
    # a demo prompt that the model cannot take leaves nothing to compare
    encoded = [each for each in scorer.encode(samples) if isinstance(each, Encoded)]
    before = score_log_odds(scorer, encoded)
    chosen = dtype or decision.dtype
    model = _merged(scorer.model, chosen)
    parameters = sum(weights.numel() for weights in model.parameters())
    # beside the target, since a rename is one step only within a file system
    partial = directory.with_name(f".{directory.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        _write(model, final, partial)
        write_decision(partial, replace(decision, dtype=chosen))
        # load_uncalibrated verifies it, so it precedes the scoring; the card, which tells the
        # difference that scoring finds, is no part of a manifest
        write_manifest(partial)
        carry_over(final, partial)
        del scorer, model  # two of 7B are too many
        after = score_log_odds(load_uncalibrated(partial), encoded)
        difference = max(abs(a - b) for a, b in zip(before, after, strict=True))
        _write_card(final, partial, chosen, difference, len(encoded))
        share(partial)
        partial.rename(directory)
    except OSError as error:
        raise IacfilterError(f"{directory} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(str(directory), parameters, chosen, difference, len(encoded))


def _merged(model: nn.Module, dtype: Dtype) -> PreTrainedModel:
    """One model of this type; the sum itself is made in the wider of the two types."""
    assert isinstance(model, PeftModel), "a run that was trained"
    if dtype == "float32":
        model = model.float()
    # safe_merge: PEFT refuses a sum that is not finite, which a model would carry on without a word
    merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    merged.to(getattr(torch, dtype))
    return merged


def _write(model: PreTrainedModel, final: Path, partial: Path) -> None:
    model.save_pretrained(partial)
    for path in final.iterdir():
        # tokenizer, validation scores and samples seen go along, as filter and evaluate need them
        is_of_adapter = path.name.startswith("adapter_")
        if path.is_file() and not is_of_adapter and path.name not in ANEW:
            shutil.copyfile(path, partial / path.name)


def _write_card(final: Path, partial: Path, dtype: str, difference: float, compared: int) -> None:
    """The run's card, as far as it holds; none if the run's was taken away."""
    if not (final / CARD).is_file():
        return
    sentences = (
        f"The adapter was merged in {dtype}. On {counted(compared, 'sample')} the log-odds of TP "
        f"differ from the adapter's own by at most {difference:.2g}."
    )
    text = merged_card(ModelCard.load(final / CARD), read_decision(final), sentences)
    (partial / CARD).write_text(text, encoding="utf-8")
