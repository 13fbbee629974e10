"""Score samples with a trained run's final/: one forward pass a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from torch import nn

from iacfilter_hpc.config import TINY
from iacfilter_hpc.detections.fields import LABELS, Label
from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.training.audit import Audit, Encoded, audit
from iacfilter_hpc.training.collators import Batch, PadCollator, Row
from iacfilter_hpc.training.data import encode_fields, encode_prompts
from iacfilter_hpc.training.decision import Decision, read_decision
from iacfilter_hpc.training.encoder import class_logits, load_classifier
from iacfilter_hpc.training.generative import answer_logits, load_base
from iacfilter_hpc.training.quiet import quieten
from iacfilter_hpc.training.vocabulary import load_tokenizer, settle_vocabulary

BATCH_SIZE = 16


@dataclass(frozen=True, slots=True)
class Prediction:
    """One decided sample; `index` counts from 0 in its file."""

    index: int
    file: str
    line: int
    smell: str
    technology: str
    label: Label
    p_tp: float
    decision: Label
    tokens_dropped: int
    lines_dropped: int
    over_max_length: bool


@dataclass(frozen=True, slots=True)
class Scorer:
    """A loaded model: how samples become token ids, and batches of them logits [batch, 2]."""

    decision: Decision
    device: torch.device
    pad: int
    encode: Callable[[Sequence[Sample]], list[Encoded]]
    logits: Callable[[Batch], torch.Tensor]


def load_scorer(final: Path) -> Scorer:
    """The model of a final/ directory, on a GPU if there is one.

    Raises:
        TrainingError: `final` holds no finished model.
    """
    quieten()
    decision = read_decision(final)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    load = _load_generative if decision.approach == "generative" else _load_encoder
    return load(final, decision, device)


def predict(
    scorer: Scorer, samples: Sequence[Sample], batch_size: int = BATCH_SIZE
) -> tuple[list[Prediction], Audit]:
    """Decisions in the order of `samples`, and what tokenising did to them.

    Raises:
        DataError: prompts that cannot be made to fit the model; each is named.
    """
    encoded = scorer.encode(samples)
    p_tp = _probabilities(scorer, encoded, batch_size)
    threshold = scorer.decision.threshold
    predictions = [
        Prediction(
            index=index,
            file=sample.file,
            line=sample.line,
            smell=sample.smell,
            technology=sample.technology,
            label=sample.label,
            p_tp=p,
            decision=LABELS[p >= threshold],
            tokens_dropped=row.tokens_dropped,
            lines_dropped=row.lines_dropped,
            over_max_length=row.over_max_length,
        )
        for index, (sample, row, p) in enumerate(zip(samples, encoded, p_tp, strict=True))
    ]
    return predictions, audit(samples, encoded)


def _probabilities(scorer: Scorer, encoded: Sequence[Encoded], batch_size: int) -> list[float]:
    """p(TP) of each row; batches hold rows of like length, the longest first."""
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i].ids))
    collate = PadCollator(scorer.pad)
    p_tp = [0.0] * len(encoded)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        rows = [Row(input_ids=list(encoded[i].ids), label=0) for i in indices]
        batch = {name: tensor.to(scorer.device) for name, tensor in collate(rows).items()}
        with (
            torch.inference_mode(),
            torch.autocast(scorer.device.type, torch.bfloat16, enabled=scorer.decision.bf16),
        ):
            logits = scorer.logits(batch).double()
        for i, p in zip(indices, torch.softmax(logits, dim=1)[:, 1].tolist(), strict=True):
            p_tp[i] = p
    return p_tp


def _load_generative(final: Path, decision: Decision, device: torch.device) -> Scorer:
    answers = decision.answers
    assert answers is not None, "written by training"
    base = load_base(_base_of(final, decision), decision.revision, decision.dtype)
    model = PeftModel.from_pretrained(base, final).to(device).eval()
    rows, positions = base.config.vocab_size, base.config.max_position_embeddings
    vocabulary = settle_vocabulary(load_tokenizer(final, None), rows)
    if vocabulary.answers != answers:
        raise TrainingError(
            f"the tokenizer in {final} answers with other tokens than training did",
            hint="evaluate with the versions of transformers and tokenizers that trained the run",
        )
    return Scorer(
        decision=decision,
        device=device,
        pad=vocabulary.pad,
        encode=lambda samples: encode_prompts(samples, vocabulary, decision.max_length, positions),
        logits=lambda batch: answer_logits(model, batch, answers),
    )


def _load_encoder(final: Path, decision: Decision, device: torch.device) -> Scorer:
    fields = decision.input_fields
    assert fields is not None, "written by training"
    model: nn.Module = load_classifier(final, None, decision.dtype)
    model.to(device).eval()
    tokenizer = load_tokenizer(final, None)
    return Scorer(
        decision=decision,
        device=device,
        pad=tokenizer.pad_token_id,
        encode=lambda samples: encode_fields(samples, tokenizer, fields, decision.max_length),
        logits=lambda batch: class_logits(model, batch),
    )


def _base_of(final: Path, decision: Decision) -> str | Path:
    return (
        RunLayout(final.parent).tiny_model if decision.base_model == TINY else decision.base_model
    )
