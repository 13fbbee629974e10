"""Past evaluations: what their metrics.json says, and whether one still holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.evaluation.predictions import Prediction, read_predictions
from iacfilter_hpc.evaluation.results import METRICS_FILE, PREDICTIONS_FILE, SCHEMA
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.record_schema import RecordKind
from iacfilter_hpc.runs.validation_errors import made_by

Count = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class PastFolds:
    """Folds of a cross-fit: how many, and the seed of their making and of training."""

    folds: Annotated[int, Field(ge=2)]
    seed: Count


@dataclass(frozen=True, slots=True)
class PastOverlap:
    """Overlap: how many of the samples the model had seen; whether they are its validation file."""

    train: Count
    validation: Count
    is_validation_file: bool
    calibration: Count = 0


@dataclass(frozen=True, slots=True)
class PastEvaluation:
    """Past evaluation, as far as its use depends on it; `threshold` is None if it has many.

    The hashes are of the model's manifest, of the data, and of the predictions beside it.
    """

    # what else metrics.json holds is for its readers
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True)

    model: Text
    sha256: Text
    predictions_sha256: Text
    threshold: Probability | None
    threshold_mode: Text
    temperature: Positive | None
    cross_fit: PastFolds | None
    overlap: PastOverlap
    warnings: tuple[Text, ...]
    samples_per_s: Positive

    @property
    def is_seen(self) -> bool:
        """Whether the model or its threshold had seen some of the samples."""
        known = self.overlap
        return known.train + known.validation + known.calibration > 0 or known.is_validation_file


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """Current model, as it would decide now; `folds` if it would be fine-tuned fold by fold."""

    sha256: str
    threshold: float
    temperature: float
    folds: int | None


def read_past(directory: Path, hint: str) -> PastEvaluation:
    """Past evaluation that metrics.json in `directory` records; `hint` is for a damaged one.

    Raises:
        DataError: it cannot be read, is damaged (each wrong key is named), or has another schema
            than this version reads.
    """
    return replace(PAST, hint=hint, version_hint=hint).read(directory / METRICS_FILE)


def read_past_predictions(
    directory: Path, past: PastEvaluation, data: Labelled, hint: str
) -> list[Prediction]:
    """Predictions beside metrics.json, in the order of the samples.

    Raises:
        DataError: they cannot be read, or are not those of the samples in `data`, or have changed.
    """
    path = directory / PREDICTIONS_FILE
    try:
        rows = read_predictions(path)
    except DataError as error:
        raise DataError(error.message, hint=hint) from error
    # keys first: that the samples are others says more than that a hash differs
    if [row.key for row in rows] != [sample.key for sample in data.samples]:
        raise DataError(f"{path} is not of the samples in {data.path}", hint=hint)
    if sha256_of(path) != past.predictions_sha256:
        raise DataError(f"{path} is not the one that {METRICS_FILE} beside it is about", hint=hint)
    return rows


def still_holds(past: PastEvaluation, data: Labelled, model: CurrentModel) -> bool:
    """Validity of an evaluation: of this data and this very model, and decided in this way."""
    # a cross-fit has as many thresholds and temperatures as it has folds
    expected = (model.threshold, model.temperature) if model.folds is None else (None, None)
    # draws, seed and groups of its bootstrap do not matter: only decisions are used again, and they
    # are scored anew. Floats are compared exactly, since JSON gives back the very ones written
    return (
        past.sha256 == data.sha256
        and past.model == model.sha256
        and (past.threshold, past.temperature) == expected
        and (past.cross_fit.folds if past.cross_fit else None) == model.folds
    )


PAST = RecordKind(SCHEMA, made_by(TypeAdapter(PastEvaluation)), DataError)
