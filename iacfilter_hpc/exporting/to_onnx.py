"""To ONNX: a trained encoder written for onnxruntime, and its decisions compared with its own."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from huggingface_hub import ModelCard
from torch import nn

from iacfilter_hpc.checkpoints.manifest import CARD, model_sha256, write_manifest
from iacfilter_hpc.errors import IacfilterError, TrainingError, counted
from iacfilter_hpc.evaluation.predict import (
    load_scorer,
    load_uncalibrated,
    own_log_odds,
    probabilities,
)
from iacfilter_hpc.exporting.checks import check_is_new, compared_file, exportable
from iacfilter_hpc.exporting.new_directory import copy_along, new_directory
from iacfilter_hpc.inputs.encode import all_fitting
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.tokenizer import load_tokenizer
from iacfilter_hpc.onnx_model.record import TOKENIZER, WEIGHTS, OnnxRecord, write_record
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.sample import Sample, read_samples
from iacfilter_hpc.trained_model.calibration import carry_over, find_calibration
from iacfilter_hpc.trained_model.card import IN_ONNX, exported_card
from iacfilter_hpc.trained_model.decision import Decision, read_decision, write_decision
from iacfilter_hpc.trained_model.evidence import (
    SCORES,
    read_validation_scores,
    write_validation_scores,
)
from iacfilter_hpc.trained_model.recall import recalls
from iacfilter_hpc.trained_model.trained_on import find_trained_on, write_trained_on
from iacfilter_hpc.training.approaches.encoder import load_classifier
from iacfilter_hpc.training.approaches.loading import Loading
from iacfilter_hpc.training.calibrate import scaled

MOST_FLIPS = 0.01
"""Share of decisions that may be others than the model's own."""
FEW_SAMPLES = 100
"""Fewer cannot show a flip in a hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InOnnx:
    """Encoder in ONNX, and how its decisions differ from the model's own on `data`.

    `flips` are decisions that are others, `largest_difference` is of p(TP); `size` in bytes is that
    of the weights.
    """

    directory: str
    architecture: str
    int8: bool
    size: int
    data: str
    compared: int
    flips: int
    largest_difference: float

    @property
    def is_compared_on_few(self) -> bool:
        """Whether the samples are too few to tell a flip in a hundred."""
        return self.compared < FEW_SAMPLES


def export_onnx(final: Path, directory: Path, *, int8: bool, data: Path | None) -> InOnnx:
    """Write the encoder in `final` to `directory` in ONNX, and compare what was written with it.

    Both score `data`, None for the validation file of the training, on which the threshold was
    chosen; of that file the new scores are kept. `int8`: the weights of matrices in 7 of 8 bits,
    activations in 8 at each input.

    Raises:
        TrainingError: `final` holds no whole model.
        DataError: wrong lines in the data.
        IacfilterError: it cannot be exported (said by its name, before any work), there is nothing
            to compare on, too many decisions flip, or `directory` cannot be written.
    """
    decision, architecture = exportable(final)
    check_is_new(directory)
    path = compared_file(decision, data)
    samples = read_samples(path)
    scorer = load_scorer(final)
    encoded = all_fitting(samples, scorer.encode(samples))
    own = own_log_odds(scorer, encoded)
    with new_directory(directory) as partial:
        _write(final, partial, architecture, int8)
        made = _log_odds(partial, samples, encoded)
        before, after = (probabilities(scorer, samples, odds) for odds in (own, made))
        flips, largest = _differences(before, after, _threshold(final, decision))
        done = InOnnx(
            directory=str(directory),
            architecture=architecture,
            int8=int8,
            size=(partial / WEIGHTS).stat().st_size,
            data=str(path),
            compared=len(samples),
            flips=flips,
            largest_difference=largest,
        )
        _refuse_flips(done)
        if sha256_of(path) == decision.validation.sha256:
            _keep_scores(partial, decision.threshold, made)
        carry_over(final, partial)
        _write_card(final, partial, done)
    return done


def _write(final: Path, partial: Path, architecture: str, int8: bool) -> None:
    write_graph(final, partial / WEIGHTS, int8=int8)
    copy_along(final, partial, lambda name: ".safetensors" in name)
    _write_tokenizer(final, partial, architecture, int8)
    # of the arithmetic that it was trained in nothing is left
    write_decision(partial, replace(read_decision(final), dtype="float32", bf16=False))
    write_manifest(partial)


def _log_odds(partial: Path, samples: Sequence[Sample], encoded: Sequence[Encoded]) -> list[float]:
    """Log-odds as a filter will find them, after temperature.

    Raises:
        TrainingError: the tokens would be others than those of `encoded`.
    """
    scorer = load_uncalibrated(partial)
    if scorer.encode(samples) != encoded:
        raise TrainingError(
            "the tokenizer makes other tokens without transformers",
            hint="filter with the model as it is",
        )
    return own_log_odds(scorer, encoded)


def _threshold(final: Path, decision: Decision) -> float:
    calibration = find_calibration(final)
    return decision.threshold if calibration is None else calibration.threshold


def _keep_scores(partial: Path, threshold: float, log_odds: Sequence[float]) -> None:
    """Write the validation scores anew: thresholds for a recall are chosen by the model's own."""
    p_tp = tuple(scaled(log_odds, 1.0))
    if (partial / SCORES).is_file():
        write_validation_scores(partial, replace(read_validation_scores(partial), p_tp=p_tp))
    if record := find_trained_on(partial):
        rows = zip(record.scores, p_tp, strict=True)
        scores = tuple(replace(each, p_tp=p) for each, p in rows)
        found = replace(record, scores=scores, recall=recalls(scores, threshold))
        write_trained_on(partial, found)
    write_manifest(partial)


def write_graph(final: Path, path: Path, *, int8: bool) -> None:
    """The classifier in `final` as a graph: input_ids [1, tokens] to the logits [1, 2]."""
    # eager: plain matrix products, which onnxruntime fuses as it likes
    model = load_classifier(final, None, "float32", Loading(attention="eager")).eval()
    example = torch.arange(3, 11)[None]
    plain = path.with_suffix(".plain") if int8 else path
    with _quiet():
        torch.onnx.export(
            _Classifier(model),
            (example,),
            plain,
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_shapes=({1: torch.export.Dim.DYNAMIC},),
            external_data=False,
            verbose=False,
        )
        if int8:
            _quantize(plain, path)
            plain.unlink()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of both libraries: about code of their own, and packages not needed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class _Classifier(nn.Module):
    """A classifier that takes the ids of one input, without padding, and gives its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids).logits
        return logits


def _quantize(plain: Path, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        plain,
        path,
        per_channel=True,
        # 7 bits: 8 may overflow where a CPU has no VNNI, and then decide otherwise there than here
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )


def _write_tokenizer(final: Path, partial: Path, architecture: str, int8: bool) -> None:
    tokenizer = load_tokenizer(final, None)
    if not tokenizer.is_fast:
        raise IacfilterError(
            f"{final} has a tokenizer that needs transformers: {type(tokenizer).__name__}",
            hint="filter with the model as it is",
        )
    tokenizer.backend_tokenizer.save(str(partial / TOKENIZER))
    record = OnnxRecord(
        architecture=architecture,
        begin=tokenizer.cls_token_id,
        separator=tokenizer.sep_token_id,
        longest=tokenizer.model_max_length,
        int8=int8,
        source_sha256=model_sha256(final),
        versions={name: version(name) for name in ("torch", "transformers", "onnxruntime")},
    )
    write_record(partial, record)


def _differences(
    before: Sequence[float], after: Sequence[float], threshold: float
) -> tuple[int, float]:
    """How many decisions are others, and the largest difference of p(TP).

    Raises:
        TrainingError: the model or its export gives what is no number.
    """
    pairs = list(zip(before, after, strict=True))
    largest = max(abs(a - b) for a, b in pairs)
    if not all(math.isfinite(a - b) for a, b in pairs):
        raise TrainingError("a p(TP) is not a number", hint="train the model anew")
    return sum((a >= threshold) != (b >= threshold) for a, b in pairs), largest


def _refuse_flips(done: InOnnx) -> None:
    """Raise IacfilterError if more decisions than MOST_FLIPS are others than the model's own."""
    if done.flips > MOST_FLIPS * done.compared:
        raise IacfilterError(
            f"{done.flips} of {counted(done.compared, 'decision')} on {done.data} flip in ONNX, "
            f"more than {MOST_FLIPS:.0%}; p(TP) differs by at most {done.largest_difference:.2g}",
            hint="without --int8 the weights keep their precision"
            if done.int8
            else "filter with the model as it is",
        )


def _write_card(final: Path, partial: Path, done: InOnnx) -> None:
    """The run's card, as far as it holds; none if the run's was taken away."""
    if not (final / CARD).is_file():
        return
    sentences = (
        f"It was exported to ONNX{' in int8' if done.int8 else ''}. On "
        f"{counted(done.compared, 'sample')} {counted(done.flips, 'decision is', 'decisions are')} "
        f"another than the model's own, and p(TP) differs by at most {done.largest_difference:.2g}."
    )
    text = exported_card(ModelCard.load(final / CARD), read_decision(final), IN_ONNX, sentences)
    (partial / CARD).write_text(text, encoding="utf-8")
