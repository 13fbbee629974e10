"""decision.json: all that scoring needs besides the weights and the tokenizer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from iacfilter_hpc.config.approaches import find_approach
from iacfilter_hpc.config.schema import ApproachName
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.encoded import Audit
from iacfilter_hpc.runs.validation_errors import problems_in, shown

SCHEMA = 2
FILE = "decision.json"
HINT = "copy final/ whole, with every file in it"

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
InputField = Literal["smell", "technology", "content", "with_context"]


@dataclass(frozen=True, slots=True)
class Validation:
    """The data that chose the threshold, and F1 of TP on it."""

    file: Text
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    f1: Share
    f1_at_half: Share


@dataclass(frozen=True, slots=True)
class Decision:
    """How a detection is scored and decided: TP if p(TP) >= `threshold`.

    p(TP) is sigmoid(log-odds / `temperature`). `smells` are those that training has seen.

    `base_model` is a hub name, a directory, or `tiny` (made in the run's directory); the encoder's
    weights are all in final/ itself. `answers` is None for the encoder, `input_fields` for the
    generative approach: see ApproachEntry. `bf16` says that arithmetic ran under bfloat16 autocast.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    approach: ApproachName
    threshold: Annotated[float, Field(gt=0, lt=1)]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    metric: Text
    validation: Validation
    base_model: Text
    revision: str | None
    dtype: Literal["bfloat16", "float16", "float32"]
    bf16: bool
    max_length: Annotated[int, Field(ge=1)]
    input_fields: Annotated[tuple[InputField, ...], Field(min_length=1)] | None
    answers: Answers | None
    smells: tuple[str, ...]
    train_audit: Audit
    validation_audit: Audit
    quantization: Literal["nf4"] | None = None
    """Of the frozen weights; models of earlier versions do not say, and have whole ones."""
    schema: int = SCHEMA


def write_decision(directory: Path, decision: Decision) -> None:
    """Write decision.json into a directory that nobody reads yet."""
    text = json.dumps(asdict(decision), indent=2, allow_nan=False)
    (directory / FILE).write_text(text + "\n", encoding="utf-8")


def read_decision(directory: Path) -> Decision:
    """The decision of a final/ directory.

    Raises:
        TrainingError: there is none, it is damaged (each wrong key is named), or of another schema
            than this version reads.
    """
    path = directory / FILE
    if not path.is_file():
        raise TrainingError(
            f"{path} does not exist: the run has no finished model",
            hint="see how training ended with iacfilter-status",
        )
    text = _read(path)
    try:
        made = DECISION.validate_json(text)
    except ValidationError as error:
        problems = "\n".join(f"{path}: {problem}" for problem in problems_in(error))
        raise TrainingError(problems, hint=HINT) from error
    _check_approach(path, made)
    return made


def _read(path: Path) -> bytes:
    """The text of the file, of which the schema is known to be ours."""
    try:
        text = path.read_bytes()
        fields = json.loads(text)
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}", hint=HINT) from error
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is not JSON", hint=HINT) from error
    if not isinstance(fields, dict) or "schema" not in fields:
        raise TrainingError(f"{path}: schema is missing", hint=HINT)
    if fields["schema"] != SCHEMA:
        raise TrainingError(
            f"{path} has schema {shown(fields['schema'])}; this version reads {SCHEMA}",
            hint="use the version of iacfilter-hpc that trained it, or train it anew",
        )
    return text


def _check_approach(path: Path, made: Decision) -> None:
    """See that the fields which not every approach has are there for those that have them."""
    entry = find_approach(made.approach)
    fields = {
        "answers": (entry.answers, made.answers),
        "input_fields": (entry.reads_fields, made.input_fields),
    }
    wrong = [
        f"{path}: {name} is {'missing' if value is None else 'given'} for the approach "
        f"{made.approach}"
        for name, (is_expected, value) in fields.items()
        if (value is not None) != is_expected
    ]
    if wrong:
        raise TrainingError("\n".join(wrong), hint=HINT)


DECISION = TypeAdapter(Decision)
