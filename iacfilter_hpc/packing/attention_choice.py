"""Choice of attention over packed rows, by what was asked for and what the model can do."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from iacfilter_hpc.config.schema import AttentionSetting
from iacfilter_hpc.packing.attention import IMPLEMENTATION, PackedAttention, register

ENCODERS = (
    "RobertaForSequenceClassification",
    "XLMRobertaForSequenceClassification",
    "CamembertForSequenceClassification",
    "BertForSequenceClassification",
)
"""Classes whose head takes the first token, which is all that packing has to know."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Choice of the attention over packed rows, None where samples are padded; why, in words."""

    packed: PackedAttention | None
    reason: str

    def describe(self) -> str:
        """One line for the log."""
        how = "padded batches" if self.packed is None else f"packed rows, attention {self.packed}"
        return f"{how}: {self.reason}"


def choose_for_prompts(
    model: PreTrainedModel, device: torch.device, wanted: AttentionSetting, longest: int
) -> Choice:
    """Choice for a causal model, which is set to it: attention over packed prompts if it can.

    `longest` is the most tokens of a sequence.
    """
    # padded is slower, and right for every model: what cannot be packed is no error
    choice = _prompts(model, device, wanted, longest)
    if choice.packed is not None:
        register()
        model.set_attn_implementation(IMPLEMENTATION[choice.packed])
    return choice


def choose_for_snippets(model: PreTrainedModel, wanted: AttentionSetting) -> Choice:
    """Choice for a classifier, which is set to it: attention over packed rows if it can do that."""
    if wanted == "padded":
        return Choice(None, "as configured")
    if type(model).__name__ not in ENCODERS:
        return Choice(None, f"{type(model).__name__} is not known to take packed rows")
    register()
    model.set_attn_implementation(IMPLEMENTATION["blocks"])
    return Choice("blocks", "no padding outside attention")


def _prompts(
    model: PreTrainedModel, device: torch.device, wanted: AttentionSetting, longest: int
) -> Choice:
    if wanted == "padded":
        return Choice(None, "as configured")
    # before `segments` is granted: asked for by name it is still no more than the model can do
    if problem := _obstacle(model, longest):
        return Choice(None, problem)
    if wanted != "auto":
        return Choice("segments", "as configured")
    return Choice("segments", f"on {device.type}")


def _obstacle(model: PreTrainedModel, longest: int) -> str | None:
    """Why a model cannot take packed rows, if so."""
    name, config = type(model).__name__, model.config
    # in a packed row each sequence counts its positions for itself
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return f"{name} takes no position_ids"
    # how transformers marks the classes that look attention up in its registry
    if not getattr(model, "_supports_attention_backend", False):
        return f"{name} does not let its attention be replaced"
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        return f"{name} has layers of {', '.join(sorted(kinds - {'full_attention'}))}"
    # a window that no sequence is longer than changes nothing; Qwen2 names one and may not use it
    window = getattr(config, "sliding_window", None)
    if window and window < longest and getattr(config, "use_sliding_window", True):
        return f"{name} sees only {window} tokens back"
    return None
