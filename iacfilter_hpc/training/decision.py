"""decision.json: all that scoring needs besides the weights and the tokenizer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from iacfilter_hpc.config import Approach
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.training.audit import Audit
from iacfilter_hpc.training.prompts import Answers

SCHEMA = 2
FILE = "decision.json"


@dataclass(frozen=True, slots=True)
class Validation:
    """The data that chose the threshold, and F1 of TP on it."""

    file: str
    sha256: str
    f1: float
    f1_at_half: float


@dataclass(frozen=True, slots=True)
class Decision:
    """How a detection is scored and decided: TP if p(TP) >= `threshold`.

    p(TP) is sigmoid(log-odds / `temperature`). `smells` are those that training has seen.

    `base_model` is a hub name, a directory, or `tiny` (made in the run's directory); the encoder's
    weights are all in final/ itself. `answers` is None for the encoder, `input_fields` for the
    generative approach. `bf16` says that arithmetic ran under bfloat16 autocast.
    """

    approach: Approach
    threshold: float
    temperature: float
    metric: str
    validation: Validation
    base_model: str
    revision: str | None
    dtype: str
    bf16: bool
    max_length: int
    input_fields: tuple[str, ...] | None
    answers: Answers | None
    smells: tuple[str, ...]
    train_audit: Audit
    validation_audit: Audit
    schema: int = SCHEMA


def write_decision(directory: Path, decision: Decision) -> None:
    """Write decision.json into a directory that nobody reads yet."""
    text = json.dumps(asdict(decision), indent=2, allow_nan=False)
    (directory / FILE).write_text(text + "\n", encoding="utf-8")


def read_decision(directory: Path) -> Decision:
    """The decision of a final/ directory.

    Raises:
        TrainingError: there is none, it is damaged, or of another schema than this version reads.
    """
    path = directory / FILE
    if not path.is_file():
        raise TrainingError(
            f"{path} does not exist: the run has no finished model",
            hint="see how training ended with iacfilter-status",
        )
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        schema = fields["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} cannot be read: {error}", hint="copy final/ whole, with every file in it"
        ) from error
    if schema != SCHEMA:
        raise TrainingError(
            f"{path} has schema {schema}; this version reads {SCHEMA}",
            hint="use the version of iacfilter-hpc that trained it, or train it anew",
        )
    nested = {
        "validation": Validation(**fields["validation"]),
        "answers": _answers(fields["answers"]),
        "smells": tuple(fields["smells"]),
        "input_fields": fields["input_fields"] and tuple(fields["input_fields"]),
        "train_audit": Audit(**fields["train_audit"]),
        "validation_audit": Audit(**fields["validation_audit"]),
    }
    return Decision(**{**fields, **nested})


def _answers(ids: dict[str, list[int]] | None) -> Answers | None:
    return None if ids is None else Answers(**{name: tuple(ids[name]) for name in ids})
