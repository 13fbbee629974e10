"""Predictions file: how each sample was decided, one JSON object a line, written and read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.runs.files import write_atomically
from iacfilter_hpc.runs.record_schema import Damaged, RecordKind, Unreadable
from iacfilter_hpc.runs.validation_errors import made_by
from iacfilter_hpc.samples.sample import Label

SCHEMA = 2
# strict: JSON's true and "3" would otherwise pass for numbers
NotNegative = Annotated[int, Field(ge=0, strict=True)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Prediction of one sample, and how much of it the model did not see.

    `index` counts the file's samples from 0; `key` and `group` are Sample.key and Sample.group.
    `p_tp` and `threshold` are None where a decision came without a probability.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    index: NotNegative
    key: Text
    file: Text
    line: Annotated[int, Field(ge=1, strict=True)]
    smell: Text
    technology: Text
    group: Text
    label: Label
    p_tp: Probability | None
    decision: Label
    threshold: Probability | None
    tokens_dropped: NotNegative = 0
    lines_dropped: NotNegative = 0
    over_max_length: Annotated[bool, Field(strict=True)] = False


def predictions_text(rows: Sequence[Prediction]) -> str:
    """Text of predictions.jsonl."""
    # NaN is no JSON: a file with it could not be read back
    lines = [json.dumps({"schema": SCHEMA, **asdict(row)}, allow_nan=False) for row in rows]
    return "\n".join(lines) + "\n"


def write_predictions(path: Path, rows: Sequence[Prediction]) -> None:
    """Write a file, all of it or nothing; its directory is there."""
    write_atomically(path, predictions_text(rows))


def read_predictions(path: Path) -> list[Prediction]:
    """Every prediction of a file, in its order.

    Raises:
        DataError: the file cannot be read, holds none, or has wrong lines (all are named).
    """
    try:
        # of bytes, which split at line ends alone; text would also split inside a field, at U+2028
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if not lines:
        raise DataError(f"{path} holds no prediction", hint="one JSON object a line")
    predictions: list[Prediction] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        found = _parsed(line, number - 1)
        if isinstance(found, Prediction):
            predictions.append(found)
        else:
            problems += [f"{path}:{number}: {problem}" for problem in found]
    if problems:
        raise DataError(
            "\n".join(problems), hint=f"iacfilter-evaluate writes such files (schema {SCHEMA})"
        )
    return predictions


def _parsed(line: bytes, index: int) -> Prediction | list[str]:
    """The prediction in a line, or what is wrong with it."""
    try:
        made = PREDICTION.parse(line)
    except Damaged as error:
        return [f"field {problem}" for problem in error.problems]
    except Unreadable as error:
        return list(error.problems)
    # a lost or repeated line would give every later sample the decision of another
    if made.index != index:
        return [f"field index is {made.index}, not {index}: the file is not whole"]
    # some metrics read the decision and others p(TP): a file must not say two things
    if made.p_tp is not None and made.threshold is not None:
        follows = "TP" if made.p_tp >= made.threshold else "FP"
        if made.decision != follows:
            return [
                f"field decision is {made.decision}, "
                f"but p_tp {made.p_tp} and threshold {made.threshold} make it {follows}"
            ]
    return made


PREDICTION = RecordKind(SCHEMA, made_by(TypeAdapter(Prediction)))
