"""Worthless models are refused: tiny ones of random weights, and those no better than chance."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import Path

from iacfilter_hpc.config.schema import TINY
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.filtering.safety.guard import SafetyOptions
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.evidence import SCORES, ValidationScores, read_validation_scores

CHANCE = 0.5
"""The area under the ROC curve of numbers that know nothing."""


def check_worth(final: Path, decision: Decision, options: SafetyOptions) -> None:
    """See that a model can judge anything, unless any will do.

    Raises:
        UsageError: it cannot.
        TrainingError: its validation scores are damaged.
    """
    if options.allow_tiny:
        return
    if decision.base_model == TINY:
        raise _refusal(f"{final} is a tiny model of random weights: it judges nothing")
    # a copy may lack them, and says so where they are needed
    if not (final / SCORES).is_file():
        return
    if area_under_curve(read_validation_scores(final)) <= CHANCE:
        raise _refusal(
            f"{final} tells real smells from false alarms no better than chance, even on its own "
            "validation data: it judges nothing"
        )


def area_under_curve(scores: ValidationScores) -> float:
    """The chance that a real one has a higher score than a false alarm; 1 if there is no pair."""
    real = sorted(p for p, is_tp in zip(scores.p_tp, scores.is_tp, strict=True) if is_tp)
    false = sorted(p for p, is_tp in zip(scores.p_tp, scores.is_tp, strict=True) if not is_tp)
    if not real or not false:
        return 1.0
    wins = sum(bisect_left(false, p) + bisect_right(false, p) for p in real)
    return wins / (2 * len(real) * len(false))


def _refusal(message: str) -> UsageError:
    return UsageError(
        message, hint="train one on real data; --allow-tiny filters with it, to try the command"
    )
