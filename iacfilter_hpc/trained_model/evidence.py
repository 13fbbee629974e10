"""Evidence that final/ keeps: its validation scores, and the detections that training has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from iacfilter_hpc.checkpoints.manifest import COPY_WHOLE
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.files import write_json
from iacfilter_hpc.runs.record_schema import RecordKind
from iacfilter_hpc.runs.validation_errors import made_by
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.decision import STRICT, VERSION_HINT, Share

SCORES_SCHEMA = 1
SEEN_SCHEMA = 2
SCORES = "validation_scores.json"
SEEN = "seen.json"
FEW_POSITIVES = 10
"""Scores of fewer real TPs than this say little: reports, cards and filters mark them."""

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


@dataclass(frozen=True, slots=True)
class ValidationScores:
    """Validation scores: p(TP), after temperature, and truth, in the order of the file; shape [n].

    From these another threshold can be chosen without the samples and without a GPU.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    p_tp: tuple[Share, ...]
    is_tp: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Seen detections, by Sample.key: those that trained the model or chose its threshold.

    `contents` and `origins` are hashes of both: of smell and line, of files, repositories and
    families.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    # to look a sample up takes no more than its hash, whatever the sample holds
    train: frozenset[Key]
    validation: frozenset[Key]
    contents: frozenset[Key]
    origins: frozenset[Key]


def seen_of(train: Sequence[Sample], validation: Sequence[Sample]) -> Seen:
    """Seen detections of a model that was trained and validated on these samples."""
    both = [*train, *validation]
    contents = (sample.content_hash for sample in both)
    return Seen(
        train=frozenset(sample.key for sample in train),
        validation=frozenset(sample.key for sample in validation),
        # an empty line has no hash, or all empty lines of a smell would count as seen
        contents=frozenset(content for content in contents if content is not None),
        origins=frozenset(origin for sample in both for origin in sample.origin_hashes),
    )


def write_validation_scores(directory: Path, scores: ValidationScores) -> None:
    """Write validation_scores.json into a directory that nobody reads yet."""
    rows = {"p_tp": list(scores.p_tp), "is_tp": list(scores.is_tp)}
    write_json(directory / SCORES, {"schema": SCORES_SCHEMA, **rows})


def write_seen(directory: Path, seen: Seen) -> None:
    """Write seen.json into a directory that nobody reads yet."""
    names = ("train", "validation", "contents", "origins")
    # sets have no order, and the manifest hashes the file: the same data give the same model
    keys = {name: sorted(getattr(seen, name)) for name in names}
    write_json(directory / SEEN, {"schema": SEEN_SCHEMA, **keys})


def read_validation_scores(final: Path) -> ValidationScores:
    """Validation scores of a final/ directory.

    Raises:
        TrainingError: the file is missing, damaged (each wrong key is named) or of another schema.
    """
    path = final / SCORES
    scores = SCORES_KIND.read(path)
    # each list is right by itself, so the schema cannot see it
    if len(scores.p_tp) != len(scores.is_tp):
        raise TrainingError(
            f"{path}: p_tp has {len(scores.p_tp)} numbers, and is_tp {len(scores.is_tp)} truths",
            hint=COPY_WHOLE,
        )
    return scores


def read_seen(final: Path) -> Seen:
    """Seen detections of the model in a final/ directory.

    Raises:
        TrainingError: the file is missing, damaged (each wrong key is named) or of another schema.
    """
    return SEEN_KIND.read(final / SEEN)


SCORES_KIND = RecordKind(
    SCORES_SCHEMA,
    made_by(TypeAdapter(ValidationScores)),
    TrainingError,
    COPY_WHOLE,
    VERSION_HINT,
)
SEEN_KIND = RecordKind(
    SEEN_SCHEMA, made_by(TypeAdapter(Seen)), TrainingError, COPY_WHOLE, VERSION_HINT
)
