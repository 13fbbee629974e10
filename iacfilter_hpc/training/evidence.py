"""What final/ keeps of its data: validation scores, and which detections training has seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.files import write_json

SCHEMA = 1
SCORES = "validation_scores.json"
SEEN = "seen.json"

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class ValidationScores:
    """p(TP) (after temperature) and truth of the validation samples, in their file's order.

    From these another threshold can be chosen without the samples and without a GPU.
    """

    p_tp: tuple[float, ...]
    is_tp: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Keys (Sample.key) of the detections that trained the model and that chose its threshold."""

    train: frozenset[str]
    validation: frozenset[str]


def write_validation_scores(directory: Path, scores: ValidationScores) -> None:
    """Write validation_scores.json into a directory that nobody reads yet."""
    rows = {"p_tp": list(scores.p_tp), "is_tp": list(scores.is_tp)}
    write_json(directory / SCORES, {"schema": SCHEMA, **rows})


def write_seen(directory: Path, seen: Seen) -> None:
    """Write seen.json into a directory that nobody reads yet."""
    keys = {"train": sorted(seen.train), "validation": sorted(seen.validation)}
    write_json(directory / SEEN, {"schema": SCHEMA, **keys})


def read_validation_scores(final: Path) -> ValidationScores:
    """The validation scores of a final/ directory.

    Raises:
        TrainingError: the file is missing, damaged or of another schema.
    """
    return _read(
        final / SCORES, lambda f: ValidationScores(tuple(f["p_tp"]), tuple(map(bool, f["is_tp"])))
    )


def read_seen(final: Path) -> Seen:
    """The detections that the model of a final/ directory has seen.

    Raises:
        TrainingError: the file is missing, damaged or of another schema.
    """
    return _read(final / SEEN, lambda f: Seen(frozenset(f["train"]), frozenset(f["validation"])))


def _read(path: Path, make: Callable[[dict[str, Any]], Made]) -> Made:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["schema"] != SCHEMA:
            raise TrainingError(
                f"{path} has schema {fields['schema']}; this version reads {SCHEMA}"
            )
        return make(fields)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} cannot be read: {error}", hint="copy final/ whole, with every file in it"
        ) from error
