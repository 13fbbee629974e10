"""A whole final/ with a tiny random model in it: what training leaves, in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.config.schema import TINY
from iacfilter_hpc.inputs.tokenizer import load_tokenizer, settle_special_tokens
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.smells import FILTERED
from iacfilter_hpc.trained_model.decision import write_decision
from iacfilter_hpc.trained_model.evidence import ValidationScores, write_validation_scores
from iacfilter_hpc.training.approaches.encoder import load_classifier
from iacfilter_hpc.training.approaches.generative import load_base
from iacfilter_hpc.training.approaches.lora import add_adapter
from iacfilter_hpc.training.approaches.tiny import build_tiny_model
from tests.made_models import made_decision
from tests.made_runs import DEMO, demo_config

SEED = 7
REAL = tuple(i / 40 for i in range(20, 40))
"""p(TP) of the real ones in the validation scores, 0.5 to 0.975."""


def make_encoder_final(
    final: Path, smells: Sequence[str] = FILTERED, pretrained: Path | None = None
) -> Path:
    """An encoder under a fresh head: tiny, or one whose weights are in a directory."""
    base = pretrained or final.with_name(f"{final.name}-base")
    if pretrained is None:
        build_tiny_model("encoder", base)
    # the head is drawn anew at every loading, so it is drawn once and kept
    torch.manual_seed(SEED)
    load_classifier(base, None, "float32").save_pretrained(final)
    load_tokenizer(base, None).save_pretrained(final)
    fields = ("smell", "technology", "content")
    decision = replace(made_decision(DEMO["validation"]), smells=tuple(smells), input_fields=fields)
    write_decision(final, decision)
    is_tp = (True,) * len(REAL) + (False,) * len(REAL)
    scores = ValidationScores(p_tp=(*REAL, *(1 - p for p in REAL)), is_tp=is_tp)
    write_validation_scores(final, scores)
    write_manifest(final)
    return final


def make_generative_final(run: Path, max_length: int = 512) -> Path:
    """The final/ of a run directory: an adapter that has learned nothing, on a tiny base model."""
    layout = RunLayout(run)
    build_tiny_model("generative", layout.tiny_model)
    base = load_base(layout.tiny_model, None, "float32")
    config = demo_config("generative")
    add_adapter(base, config.lora, config.training).save_pretrained(layout.final)  # type: ignore[operator]
    tokenizer = load_tokenizer(layout.tiny_model, None)
    prompt_tokenizer = settle_special_tokens(tokenizer, base.config.vocab_size)
    tokenizer.save_pretrained(layout.final)
    decision = replace(
        made_decision(DEMO["validation"]),
        approach="generative",
        base_model=TINY,
        answers=prompt_tokenizer.answers,
        input_fields=None,
        smells=FILTERED,
        max_length=max_length,
    )
    write_decision(layout.final, decision)
    write_manifest(layout.final)
    return layout.final
