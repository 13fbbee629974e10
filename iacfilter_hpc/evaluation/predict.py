"""Score samples with a trained run's final/: one forward pass a decision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import SafetensorError
from torch import nn

from iacfilter_hpc.checkpoints.manifest import verify
from iacfilter_hpc.config.extras import NF4, check_extras
from iacfilter_hpc.config.schema import TINY, Approach
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.encode import NoFit, all_fitting, encode_fields, try_prompts
from iacfilter_hpc.inputs.encoded import Audit, Encoded, audit
from iacfilter_hpc.inputs.tokenizer import load_tokenizer, settle_vocabulary
from iacfilter_hpc.packing.attention_choice import Choice, choose_for_prompts, choose_for_snippets
from iacfilter_hpc.packing.collators import Batch, FlatCollator, PadCollator, Row
from iacfilter_hpc.packing.prefix_cache import PromptScorer
from iacfilter_hpc.packing.prefixes import Ids
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.decision import Decision, read_decision
from iacfilter_hpc.trained_model.save import ADAPTER
from iacfilter_hpc.training.approaches.encoder import class_logits, first_position, load_classifier
from iacfilter_hpc.training.approaches.generative import answer_logits, load_base
from iacfilter_hpc.training.approaches.loading import PLAIN, Loading
from iacfilter_hpc.training.calibrate import scaled
from iacfilter_hpc.training.log_filters import quieten

logger = logging.getLogger(__name__)

TOKENS_A_BATCH: dict[str, dict[Approach, int]] = {
    "cpu": {"generative": 4096, "encoder": 1024},
    "cuda": {"generative": 8192, "encoder": 8192},
}
"""By kind of device. On two CPU cores prompts were scored at 8.0, 8.8 and 8.9 a second with 1,024,
2,048 and 4,096 tokens, snippets at 132 and 100 with 1,024 and 8,192; a GPU's is a guess."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sample with its p(TP), and what tokenising did to it."""

    sample: Sample
    p_tp: float
    encoded: Encoded


Logits = Iterator[tuple[Ids, torch.Tensor]]
"""Token ids of an input with the logits of FP and TP, shape [2]."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A loaded model: how samples become token ids, and distinct ones of those logits.

    `logits` computes at most so many tokens at once, and an input at least. `choice` says how.
    """

    decision: Decision
    model: nn.Module
    device: torch.device
    choice: Choice
    encode: Callable[[Sequence[Sample]], Sequence[Encoded | NoFit]]
    logits: Callable[[Sequence[Ids], int], Logits]


def load_scorer(final: Path) -> Scorer:
    """The model of a final/ directory, on a GPU if there is one.

    Raises:
        TrainingError: `final` holds no finished model, or files of it are missing or changed.
    """
    quieten()
    decision = read_decision(final)
    # transformers makes up what it does not find: without its tokenizer a model scores all wrong
    verify(final)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    load = _load_generative if decision.approach == "generative" else _load_encoder
    try:
        scorer = load(final, decision, device)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"the model in {final} cannot be loaded: {str(error).splitlines()[0]}",
            hint="copy final/ whole, with every file in it",
        ) from error
    level = logging.WARNING if scorer.choice.form is None else logging.INFO
    logger.log(level, "scoring: %s", scorer.choice.describe())
    return scorer


def score_samples(
    scorer: Scorer, samples: Sequence[Sample], budget: int | None = None
) -> tuple[list[Scored], Audit]:
    """p(TP) in the order of `samples`, and what tokenising did to them.

    Raises:
        DataError: prompts that cannot be made to fit the model; each is named.
    """
    encoded = all_fitting(samples, scorer.encode(samples))
    p_tp = score(scorer, encoded, budget)
    scored = [Scored(*row) for row in zip(samples, p_tp, encoded, strict=True)]
    return scored, audit(samples, encoded)


def score(scorer: Scorer, encoded: Sequence[Encoded], budget: int | None = None) -> list[float]:
    """p(TP) of each row, after temperature."""
    return scaled(score_log_odds(scorer, encoded, budget), scorer.decision.temperature)


def score_log_odds(
    scorer: Scorer, encoded: Sequence[Encoded], budget: int | None = None
) -> list[float]:
    """Log-odds of TP of each row; rows of the same tokens are computed once.

    A batch has at most `budget` tokens, padding included, and a row at least: 1 scores one by one.
    None is as much as suits the device.
    """
    budget = budget or TOKENS_A_BATCH[scorer.device.type][scorer.decision.approach]
    distinct = sorted({row.ids for row in encoded})
    with (
        torch.inference_mode(),
        torch.autocast(scorer.device.type, torch.bfloat16, enabled=scorer.decision.bf16),
    ):
        found = {ids: _odds(logits) for ids, logits in scorer.logits(distinct, budget)}
    return [found[row.ids] for row in encoded]


def _odds(logits: torch.Tensor) -> float:
    fp, tp = logits.double().tolist()
    return float(tp - fp)


def batches_within(rows: Iterable[Ids], budget: int) -> Iterator[list[Ids]]:
    """Rows in batches of like length, longest first, so that too large a budget shows at once.

    Padding counts: also where there is none, attention sees it.
    """
    batch: list[Ids] = []
    for ids in sorted(rows, key=lambda ids: (-len(ids), ids)):
        if batch and (len(batch) + 1) * len(batch[0]) > budget:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch


def _by_batch(
    rows: Sequence[Ids],
    budget: int,
    collate: Callable[[Sequence[Row]], Batch],
    logits: Callable[[Batch], torch.Tensor],
    device: torch.device,
) -> Logits:
    for ids in batches_within(rows, budget):
        batch = collate([Row(input_ids=list(row), label=0) for row in ids])
        yield from zip(ids, logits({name: t.to(device) for name, t in batch.items()}), strict=True)


def _load_generative(final: Path, decision: Decision, device: torch.device) -> Scorer:
    answers = decision.answers
    assert answers is not None, "written by training"
    if (final / ADAPTER).is_file():
        loading = _loading(decision, device)
        base = load_base(_base_of(final, decision), decision.revision, decision.dtype, loading)
        model: nn.Module = PeftModel.from_pretrained(base, final)
    else:  # merged: see export
        model = base = load_base(final, None, decision.dtype)
    choice = choose_for_prompts(base, device, "auto", base.config.max_position_embeddings)
    model.to(device).eval()
    rows, positions = base.config.vocab_size, base.config.max_position_embeddings
    vocabulary = settle_vocabulary(load_tokenizer(final, None), rows)
    if vocabulary.answers != answers:
        raise TrainingError(
            f"the tokenizer in {final} answers with other tokens than training did",
            hint="evaluate with the versions of transformers and tokenizers that trained the run",
        )

    def logits(prompts: Sequence[Ids], budget: int) -> Logits:
        if choice.form is not None:
            tokens = (answers.fp[0], answers.tp[0])
            return PromptScorer(model, choice.form, tokens, budget).score(prompts)
        collate = PadCollator(vocabulary.pad)
        return _by_batch(
            prompts, budget, collate, lambda batch: answer_logits(model, batch, answers), device
        )

    return Scorer(
        decision=decision,
        model=model,
        device=device,
        choice=choice,
        encode=lambda samples: try_prompts(samples, vocabulary, decision.max_length, positions),
        logits=logits,
    )


def _load_encoder(final: Path, decision: Decision, device: torch.device) -> Scorer:
    fields = decision.input_fields
    assert fields is not None, "written by training"
    model = load_classifier(final, None, decision.dtype)
    choice = choose_for_snippets(model, "auto")
    model.to(device).eval()  # type: ignore[arg-type]  # a decorator hides its signature
    tokenizer = load_tokenizer(final, None)
    pad = tokenizer.pad_token_id
    collate = FlatCollator(first_position(model)) if choice.form else PadCollator(pad)
    return Scorer(
        decision=decision,
        model=model,
        device=device,
        choice=choice,
        encode=lambda samples: encode_fields(samples, tokenizer, fields, decision.max_length),
        logits=lambda rows, budget: _by_batch(
            rows, budget, collate, lambda batch: class_logits(model, batch), device
        ),
    )


def _loading(decision: Decision, device: torch.device) -> Loading:
    """As training did it: an adapter belongs to the weights that it was trained beside."""
    if decision.quantization is None:
        return PLAIN
    check_extras([NF4])
    if device.type != "cuda":
        raise TrainingError(
            f"weights in {decision.quantization} need a GPU, and there is none here"
        )
    return Loading(device, quantization=decision.quantization)


def _base_of(final: Path, decision: Decision) -> str | Path:
    return (
        RunLayout(final.parent).tiny_model if decision.base_model == TINY else decision.base_model
    )
