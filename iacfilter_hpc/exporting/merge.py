"""Merge: a trained adapter added to its model, which then needs no base model and no PEFT."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import ModelCard
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from iacfilter_hpc.checkpoints.manifest import CARD, write_manifest
from iacfilter_hpc.errors import counted
from iacfilter_hpc.evaluation.predict import load_torch_scorer, score_log_odds
from iacfilter_hpc.exporting.checks import check_is_new, mergeable
from iacfilter_hpc.exporting.new_directory import copy_along, new_directory
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.calibration import carry_over
from iacfilter_hpc.trained_model.card import MERGED, exported_card
from iacfilter_hpc.trained_model.decision import read_decision, write_decision

Dtype = Literal["bfloat16", "float16", "float32"]

# they ship with the package: an export can be compared wherever it is made
DEMO = ("train.jsonl", "validation.jsonl", "test.jsonl")


@dataclass(frozen=True, slots=True)
class Merged:
    """Merged model, and by how much its log-odds differ from the adapter's."""

    directory: str
    parameters: int
    dtype: str
    largest_difference: float
    compared: int


def merge(final: Path, directory: Path, dtype: Dtype | None = None) -> Merged:
    """Merge the adapter in `final`, write all to `directory`, and score with what was written.

    Merged weights are rounded to their own type, which in 16 bits is not what the adapter adds:
    that is why both are compared, on the shipped demo samples.

    Raises:
        TrainingError: `final` holds no whole model.
        IacfilterError: it has no adapter, `directory` exists, or it cannot be written.
    """
    decision = mergeable(final)
    check_is_new(directory)
    scorer = load_torch_scorer(final)
    samples = [row for name in DEMO for row in read_samples(resource("configs", "demo", name))]
    # a demo prompt that the model cannot take leaves nothing to compare
    encoded = [each for each in scorer.encode(samples) if isinstance(each, Encoded)]
    before = score_log_odds(scorer, encoded)
    chosen = dtype or decision.dtype
    model = _merged(scorer.model, chosen)
    parameters = sum(weights.numel() for weights in model.parameters())
    with new_directory(directory) as partial:
        model.save_pretrained(partial)
        copy_along(final, partial, lambda name: name.startswith("adapter_"))
        write_decision(partial, replace(decision, dtype=chosen))
        # load_torch_scorer verifies it, so it precedes the scoring; the card, which tells the
        # difference that scoring finds, is no part of a manifest
        write_manifest(partial)
        carry_over(final, partial)
        del scorer, model  # two of 7B are too many
        after = score_log_odds(load_torch_scorer(partial), encoded)
        difference = max(abs(a - b) for a, b in zip(before, after, strict=True))
        _write_card(final, partial, chosen, difference, len(encoded))
    return Merged(str(directory), parameters, chosen, difference, len(encoded))


def _merged(model: nn.Module, dtype: Dtype) -> PreTrainedModel:
    """One model of this type; the sum itself is made in the wider of the two types."""
    assert isinstance(model, PeftModel), "a run that was trained"
    if dtype == "float32":
        model = model.float()
    # safe_merge: PEFT refuses a sum that is not finite, which a model would carry on without a word
    merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    merged.to(getattr(torch, dtype))
    return merged


def _write_card(final: Path, partial: Path, dtype: str, difference: float, compared: int) -> None:
    """The run's card, as far as it holds; none if the run's was taken away."""
    if not (final / CARD).is_file():
        return
    sentences = (
        f"The adapter was merged in {dtype}. On {counted(compared, 'sample')} the log-odds of TP "
        f"differ from the adapter's own by at most {difference:.2g}."
    )
    text = exported_card(ModelCard.load(final / CARD), read_decision(final), MERGED, sentences)
    (partial / CARD).write_text(text, encoding="utf-8")
