"""Scoring with a trained run's final/: p(TP) of each sample, by one forward pass a decision.

Importing it imports no torch: a model in ONNX is scored where there is none.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.checkpoints.manifest import COPY_WHOLE, model_sha256, verify
from iacfilter_hpc.config.approaches import find_approach
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.encode import all_fitting
from iacfilter_hpc.inputs.encoded import Audit, Encoded, audit
from iacfilter_hpc.onnx_model.record import is_onnx
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.calibration import ANEW, Calibrator, Partner, find_calibration
from iacfilter_hpc.trained_model.decision import read_decision
from iacfilter_hpc.training.calibrate import scaled

if TYPE_CHECKING:
    from iacfilter_hpc.onnx_model.scorer import OnnxScorer
    from iacfilter_hpc.training.approaches.scorer import Scorer

    AnyScorer = Scorer | OnnxScorer
    """A loaded model, whatever computes its log-odds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """A sample with its p(TP), and what tokenising did to it."""

    sample: Sample
    p_tp: float
    encoded: Encoded


def load_scorer(final: Path) -> AnyScorer:
    """Load the model of a final/ directory with its calibration, if it has one.

    Raises:
        TrainingError: `final` holds no finished model, files of it are missing or changed, its
            calibration is damaged, or a model that this averages with is gone or another one.
    """
    calibration = find_calibration(final)
    if calibration is None:
        return load_uncalibrated(final)
    # before the weights: what cannot be applied is said at once
    calibrator = Calibrator.of(calibration)
    for partner in calibration.partners:
        _check_partner(final, partner)
    partners = tuple(load_uncalibrated(Path(each.final)) for each in calibration.partners)
    return replace(load_uncalibrated(final), calibrator=calibrator, partners=partners)


def _check_partner(final: Path, partner: Partner) -> None:
    place = Path(partner.final)
    if not place.is_dir() or model_sha256(place) != partner.sha256:
        state = "is another model now" if place.is_dir() else "is gone"
        raise TrainingError(
            f"the calibration of {final} averages log-odds with {partner.name}: {place} {state}",
            hint=ANEW,
        )


def load_uncalibrated(final: Path) -> AnyScorer:
    """Load the model of a final/ directory alone: in ONNX without torch, else with it.

    Raises:
        TrainingError: `final` holds no finished model, or files of it are missing or changed.
    """
    if not is_onnx(final):
        return load_torch_scorer(final)
    decision = read_decision(final)
    verify(final)
    # only now: an installation that trains may lack onnxruntime
    from iacfilter_hpc.onnx_model.scorer import load_onnx_scorer

    return load_onnx_scorer(final, decision)


def load_torch_scorer(final: Path) -> Scorer:
    """Load the model of a final/ directory as its approach does, on a GPU if there is one.

    Raises:
        TrainingError: `final` holds no finished model, or files of it are missing or changed.
    """
    # only now: torch takes seconds to import, and where models are in ONNX there is none
    import torch
    from safetensors import SafetensorError

    from iacfilter_hpc.training.approaches.base import approach_named
    from iacfilter_hpc.training.log_filters import filter_logs

    filter_logs()
    decision = read_decision(final)
    # transformers makes up what it does not find: without its tokenizer a model scores all wrong
    verify(final)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    approach = approach_named(decision.approach)
    try:
        scorer = approach.load_scorer(final, decision, device)
    # what transformers, PyTorch and safetensors raise of files that do not fit; PyTorch lists every
    # tensor, so the first line is enough
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"the model in {final} cannot be loaded: {str(error).splitlines()[0]}",
            hint=COPY_WHOLE,
        ) from error
    # padding is a loss only for what could be packed
    could_pack = bool(find_approach(decision.approach).packed_attention)
    level = logging.WARNING if could_pack and scorer.choice.packed is None else logging.INFO
    logger.log(level, "scoring: %s", scorer.choice.describe())
    return scorer


def score_samples(
    scorer: AnyScorer, samples: Sequence[Sample], budget: int | None = None
) -> tuple[list[Scored], Audit]:
    """p(TP) in the order of `samples`, and what tokenising did to them.

    Raises:
        DataError: prompts that cannot be made to fit the model; each is named.
    """
    encoded = all_fitting(samples, scorer.encode(samples))
    p_tp = score(scorer, samples, encoded, budget)
    scored = [Scored(*row) for row in zip(samples, p_tp, encoded, strict=True)]
    return scored, audit(samples, encoded)


def score(
    scorer: AnyScorer,
    samples: Sequence[Sample],
    encoded: Sequence[Encoded],
    budget: int | None = None,
) -> list[float]:
    """p(TP) of each sample, which `encoded` holds in the same order."""
    return probabilities(scorer, samples, own_log_odds(scorer, encoded, budget))


def probabilities(
    scorer: AnyScorer, samples: Sequence[Sample], log_odds: Sequence[float]
) -> list[float]:
    """p(TP) of samples whose own log-odds are these: calibrated, if the model is."""
    if scorer.calibrator is None:
        return scaled(log_odds, 1.0)
    return [scorer.calibrator.p_tp(*row) for row in zip(samples, log_odds, strict=True)]


def own_log_odds(
    scorer: AnyScorer, encoded: Sequence[Encoded], budget: int | None = None
) -> list[float]:
    """Log-odds of TP after temperature, the mean with those of partners; uncalibrated."""
    found = [
        [odds / model.decision.temperature for odds in score_log_odds(model, encoded, budget)]
        for model in (scorer, *scorer.partners)
    ]
    return [sum(odds) / len(found) for odds in zip(*found, strict=True)]


def score_log_odds(
    scorer: AnyScorer, encoded: Sequence[Encoded], budget: int | None = None
) -> list[float]:
    """Log-odds of TP of each row; rows of the same tokens are computed once.

    A batch has at most `budget` tokens, padding included, and a row at least: 1 scores one by one.
    None is as much as suits the device.
    """
    # sorted, so that batches do not depend on the order of the samples
    found = scorer.log_odds(sorted({row.ids for row in encoded}), budget)
    return [found[row.ids] for row in encoded]
