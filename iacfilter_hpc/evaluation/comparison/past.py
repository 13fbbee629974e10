"""Evaluations that are there already: what their metrics.json says, and whether one still holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.evaluation.predictions import Prediction, read_predictions
from iacfilter_hpc.training.decision import FILE

METRICS, PREDICTIONS = "metrics.json", "predictions.jsonl"
SCHEMA = 1
HINT = "iacfilter-evaluate writes it anew, iacfilter-compare --fresh too"


@dataclass(frozen=True, slots=True)
class Past:
    """What decides whether an evaluation can be used again; `threshold` is None if it has many."""

    sha256: str
    threshold: float | None
    threshold_mode: str
    temperature: float | None
    is_cross_fit: bool
    fold_seed: int | None
    """The seed of a cross-fit's folds and training."""
    samples_per_s: float | None
    """How fast the samples were scored, where that was measured."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model as it would decide now; `is_cross_fit` if it would be fine-tuned fold by fold."""

    final: Path
    threshold: float
    temperature: float
    is_cross_fit: bool


def read_past(directory: Path) -> Past:
    """What metrics.json in `directory` says.

    Raises:
        DataError: it cannot be read, or it has another schema than this version reads.
    """
    path = directory / METRICS
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        if fields["schema"] != SCHEMA:
            raise DataError(
                f"{path} has schema {fields['schema']}; this version reads {SCHEMA}", hint=HINT
            )
        return Past(
            sha256=str(fields["sha256"]),
            threshold=_number(fields["threshold"]),
            threshold_mode=str(fields["threshold_mode"]),
            temperature=_number(fields["temperature"]),
            is_cross_fit=fields["cross_fit"] is not None,
            fold_seed=None if fields["cross_fit"] is None else int(fields["cross_fit"]["seed"]),
            samples_per_s=_number(fields.get("samples_per_s")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error!r}", hint=HINT) from error


def read_past_predictions(directory: Path, data: Labelled) -> list[Prediction]:
    """The predictions beside metrics.json.

    Raises:
        DataError: they cannot be read, or are not those of the samples in `data`.
    """
    path = directory / PREDICTIONS
    rows = read_predictions(path)
    if [row.key for row in rows] != [sample.key for sample in data.samples]:
        raise DataError(f"{path} is not of the samples in {data.path}", hint=HINT)
    return rows


def still_holds(past: Past, directory: Path, data: Labelled, model: Judge) -> bool:
    """Whether an evaluation is of this data, of this model, and came about in this way.

    final/ is written once, so its temperature and threshold tell models apart; and a model that was
    put there later is newer than the evaluation.
    """
    evaluated, made = (directory / METRICS).stat(), (model.final / FILE).stat()
    # a cross-fit has as many of both as it has folds
    expected = (None, None) if model.is_cross_fit else (model.threshold, model.temperature)
    return (
        past.sha256 == data.sha256
        and (past.threshold, past.temperature) == expected
        and made.st_mtime <= evaluated.st_mtime
    )


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)
