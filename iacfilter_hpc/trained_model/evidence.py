"""What final/ keeps of its data: validation scores, and which detections training has seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.files import write_json
from iacfilter_hpc.runs.validation_errors import problems_in, shown
from iacfilter_hpc.samples.sample import Sample

SCORES_SCHEMA = 1
SEEN_SCHEMA = 2
SCORES = "validation_scores.json"
SEEN = "seen.json"
HINT = "copy final/ whole, with every file in it"
STRICT = ConfigDict(extra="forbid", strict=True)

Made = TypeVar("Made")
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class ValidationScores:
    """p(TP) (after temperature) and truth of the validation samples, in their file's order.

    From these another threshold can be chosen without the samples and without a GPU.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    p_tp: tuple[Probability, ...]
    is_tp: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Keys (Sample.key) of the detections that trained the model and that chose its threshold.

    `contents` and `origins` are hashes of both: of smell and line, of files, repositories and
    families.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    train: frozenset[Key]
    validation: frozenset[Key]
    contents: frozenset[Key]
    origins: frozenset[Key]


def seen_of(train: Sequence[Sample], validation: Sequence[Sample]) -> Seen:
    """What a model that was trained and validated on these samples has seen."""
    both = [*train, *validation]
    contents = (sample.content_hash for sample in both)
    return Seen(
        train=frozenset(sample.key for sample in train),
        validation=frozenset(sample.key for sample in validation),
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
    keys = {name: sorted(getattr(seen, name)) for name in names}
    write_json(directory / SEEN, {"schema": SEEN_SCHEMA, **keys})


def read_validation_scores(final: Path) -> ValidationScores:
    """The validation scores of a final/ directory.

    Raises:
        TrainingError: the file is missing, damaged (each wrong key is named) or of another schema.
    """
    path = final / SCORES
    made = _read(path, SCORES_SCHEMA, SCORES_FIELDS)
    if len(made.p_tp) != len(made.is_tp):
        raise TrainingError(
            f"{path}: p_tp has {len(made.p_tp)} numbers, and is_tp {len(made.is_tp)} truths",
            hint=HINT,
        )
    return made


def read_seen(final: Path) -> Seen:
    """The detections that the model of a final/ directory has seen.

    Raises:
        TrainingError: the file is missing, damaged (each wrong key is named) or of another schema.
    """
    return _read(final / SEEN, SEEN_SCHEMA, SEEN_FIELDS)


def _read(path: Path, schema: int, adapter: TypeAdapter[Made]) -> Made:
    try:
        fields: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}", hint=HINT) from error
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is not JSON", hint=HINT) from error
    if not isinstance(fields, dict) or "schema" not in fields:
        raise TrainingError(f"{path}: schema is missing", hint=HINT)
    if (found := fields.pop("schema")) != schema:
        raise TrainingError(
            f"{path} has schema {shown(found)}; this version reads {schema}",
            hint="use the version of iacfilter-hpc that trained it, or train it anew",
        )
    try:
        # strict JSON takes a list for a tuple or a set, strict Python does not
        return adapter.validate_json(json.dumps(fields))
    except ValidationError as error:
        problems = "\n".join(f"{path}: {problem}" for problem in problems_in(error))
        raise TrainingError(problems, hint=HINT) from error


SCORES_FIELDS = TypeAdapter(ValidationScores)
SEEN_FIELDS = TypeAdapter(Seen)
