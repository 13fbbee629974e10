"""Decision of a model, final/decision.json: what scoring needs besides weights and tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from iacfilter_hpc.checkpoints.manifest import COPY_WHOLE
from iacfilter_hpc.config.approaches import find_approach
from iacfilter_hpc.config.schema import ApproachName, InputField
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.encoded import Audit
from iacfilter_hpc.runs.record_schema import RecordKind, write
from iacfilter_hpc.runs.validation_errors import made_by
from iacfilter_hpc.samples.prompt import NEWEST, OLDEST

SCHEMA = 2
FILE = "decision.json"
VERSION_HINT = "use the version of iacfilter-hpc that trained it, or train it anew"

# forbid: a key that this version does not know may bear on decisions, and none is ignored
STRICT = ConfigDict(extra="forbid", strict=True)

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A number from 0 to 1: a probability, or F1."""
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation data that chose the threshold, and F1 of TP on it, at the threshold and at 0.5."""

    file: Text
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    f1: Share
    f1_at_half: Share


@dataclass(frozen=True, slots=True)
class Decision:
    """Decision rule of a model: how a detection is scored, and TP if p(TP) >= `threshold`.

    p(TP) is sigmoid(log-odds / `temperature`). `smells` are those that training has seen.

    `base_model` is a hub name, a directory, or `tiny` (made in the run's directory); the encoder's
    weights are all in final/ itself. `answers` is None for the encoder, `input_fields` for the
    generative approach: see ApproachEntry. `bf16` says that arithmetic ran under bfloat16 autocast.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    approach: ApproachName
    # never 0 or 1: choose_threshold stays inside, and at 0 nothing would be filtered
    threshold: Annotated[float, Field(gt=0, lt=1)]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    metric: Text
    validation: Validation
    base_model: Text
    revision: str | None
    # scoring repeats the arithmetic of training: the threshold was chosen among its rounded scores
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
    prompt_form: Annotated[int, Field(ge=OLDEST, le=NEWEST)] = OLDEST
    """The PromptForm of its training samples, in which it is asked; earlier versions had one."""
    schema: int = SCHEMA


def write_decision(directory: Path, decision: Decision) -> None:
    """Write decision.json into a directory that nobody reads yet: it is renamed when whole."""
    write(directory / FILE, decision)


def read_decision(directory: Path) -> Decision:
    """Decision of a final/ directory, read strictly.

    Raises:
        TrainingError: there is none, it is damaged (each wrong key is named), or of another schema
            than this version reads.
    """
    path = directory / FILE
    # not damaged but absent: most often the run is still training, and its status says more
    if not path.is_file():
        raise TrainingError(
            f"{path} does not exist: the run has no finished model",
            hint="see how training ended with iacfilter-status",
        )
    decision = DECISION.read(path)
    _check_approach(path, decision)
    return decision


def _check_approach(path: Path, decision: Decision) -> None:
    """See that the fields which not every approach has are there for those that have them."""
    # by the registry, since approaches of other packages have their own; a type cannot say it
    entry = find_approach(decision.approach)
    fields = {
        "answers": (entry.answers, decision.answers),
        "input_fields": (entry.reads_fields, decision.input_fields),
    }
    wrong = [
        f"{path}: {name} is {'missing' if value is None else 'given'} for the approach "
        f"{decision.approach}"
        for name, (is_expected, value) in fields.items()
        if (value is not None) != is_expected
    ]
    if wrong:
        raise TrainingError("\n".join(wrong), hint=COPY_WHOLE)


DECISION = RecordKind(
    SCHEMA, made_by(TypeAdapter(Decision)), TrainingError, COPY_WHOLE, version_hint=VERSION_HINT
)
