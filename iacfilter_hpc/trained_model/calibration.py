"""Calibration of a model, final/calibration.json: from its log-odds to p(TP), and a threshold.

Fitted to human labels after training, by iacfilter-calibrate. It is no part of the manifest, so
that a model keeps its identity: the file has a sha256 of itself, and names the model it is of.
Applying one takes neither torch nor numpy.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from iacfilter_hpc.checkpoints.manifest import model_sha256
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.labelling.functions import (
    FUNCTIONS,
    VERSION,
    LabellingFunction,
    smell_name,
    votes_of,
)
from iacfilter_hpc.labelling.user_functions import PatternFunction, registered_functions
from iacfilter_hpc.runs.files import write_json
from iacfilter_hpc.runs.record_schema import Damaged, Fields, RecordKind
from iacfilter_hpc.runs.validation_errors import made_by
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.decision import STRICT, Text
from iacfilter_hpc.trained_model.evidence import Key
from iacfilter_hpc.trained_model.trained_on import ScoredLabel

SCHEMA = 1
FILE = "calibration.json"
ANEW = "iacfilter-calibrate fits another one, and with --remove takes it away"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class TermKind(StrEnum):
    """What a term of the sum is about."""

    LOG_ODDS = "log_odds"
    VOTE = "vote"
    SMELL = "smell"
    TECHNOLOGY = "technology"


@dataclass(frozen=True, slots=True)
class Term:
    """Term of the sum that is the calibrated log-odds; `name` is empty for the model's log-odds.

    A vote counts 1 for TP and -1 for FP; a smell and a technology 1 where the sample has it.
    """

    kind: TermKind
    name: str
    weight: Number


@dataclass(frozen=True, slots=True)
class Partner:
    """Partner: another model whose log-odds are averaged with this one's, and where it lies."""

    name: Text
    final: Text
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class CalibrationLabels:
    """Labels that fitted the calibration, of one smell and technology."""

    smell: Text
    technology: Text
    tp: Count
    fp: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationData:
    """Data that fitted a calibration: the file, the one that names its families, and its size."""

    file: Text
    sha256: Sha256
    groups_sha256: Sha256 | None
    samples: Count
    families: Count


@dataclass(frozen=True, slots=True)
class Figure:
    """A score of the outer folds, and its 95 % interval over families; None where there is none."""

    value: Number | None
    low: Number | None
    high: Number | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """Folds that chose and judged a calibration; each figure is of samples that fitted no part.

    `chosen` names what each outer fold chose, `before` are figures of the model as it was.
    """

    outer: Count
    inner: Count
    seed: Count
    chosen: tuple[Text, ...]
    figures: dict[str, Figure]
    before: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class SeenSamples:
    """Seen samples, by Sample.key, and hashes of contents and origins, as evidence.Seen has."""

    keys: tuple[Key, ...]
    contents: tuple[Key, ...]
    origins: tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Calibration: log-odds = `intercept` + the sum of `terms`; TP if their sigmoid >= `threshold`.

    The model's own log-odds, divided by its temperature and averaged with those of `partners`, are
    one of the terms. `model` is the sha256 of the manifest of the model that this is of.
    `functions` are those of users that have a term; `functions_version` is that of the table.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    model: Sha256
    form: Text
    """What was chosen, in a word or two: offset and scale, or the kinds of terms."""
    penalty: Number
    """Of the squared weights, as scikit-learn's 1 / C."""
    intercept: Number
    terms: tuple[Term, ...]
    threshold: Annotated[float, Field(gt=0, lt=1)]
    partners: tuple[Partner, ...]
    functions_version: int
    functions: tuple[PatternFunction, ...]
    registered: tuple[Text, ...]
    """Names of functions of installed packages that have a term."""
    data: CalibrationData
    labels: tuple[CalibrationLabels, ...]
    folds: Folds
    held_out: tuple[ScoredLabel, ...]
    seen: SeenSamples

    @property
    def sha256(self) -> str:
        """The sha256 of what it says."""
        return _sha256_of(json.loads(json.dumps(asdict(self))))


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Calibration that can be applied: the labelling functions of its terms have been found."""

    calibration: Calibration
    functions: tuple[LabellingFunction, ...]

    @classmethod
    def of(cls, calibration: Calibration) -> Calibrator:
        """The calibrator of a calibration.

        Raises:
            TrainingError: a package that registered one of its functions is not installed.
        """
        known = {function.name: function for function in FUNCTIONS}
        known |= {each.name: each.function() for each in calibration.functions}
        # only then: the search among installed packages takes longer than all else
        if calibration.registered:
            known |= {each.name: each for each in registered_functions()}
        names = [term.name for term in calibration.terms if term.kind is TermKind.VOTE]
        if missing := [name for name in names if name not in known]:
            raise TrainingError(
                f"the calibration weighs votes of {', '.join(missing)}, which no installed package "
                "registers",
                hint=f"install it, or calibrate anew: {ANEW}",
            )
        return cls(calibration, tuple(known[name] for name in names))

    def p_tp(self, sample: Sample, log_odds: float) -> float:
        """Calibrated p(TP) of a sample whose own log-odds, after temperature, are these."""
        facts = facts_of(sample, log_odds, self.functions)
        terms = (
            term.weight * facts.get((term.kind, term.name), 0.0) for term in self.calibration.terms
        )
        return sigmoid(self.calibration.intercept + sum(terms))


SIGNS = {"TP": 1.0, "FP": -1.0}
"""What a vote counts as; an abstention counts nothing."""

Facts = dict[tuple[TermKind, str], float]
"""What terms weigh, by kind and name; what is missing is 0."""


def facts_of(sample: Sample, log_odds: float, functions: Sequence[LabellingFunction]) -> Facts:
    """What the terms of a calibration weigh of a sample: fitting and applying see the same."""
    votes = votes_of(functions, sample).items()
    return {
        (TermKind.LOG_ODDS, ""): log_odds,
        (TermKind.SMELL, smell_name(sample)): 1.0,
        (TermKind.TECHNOLOGY, sample.technology): 1.0,
        **{(TermKind.VOTE, name): SIGNS[vote] for name, vote in votes},
    }


def sigmoid(log_odds: float) -> float:
    """The probability of these log-odds; NaN of NaN."""
    # exp of a large number overflows, of a small one it is 0
    if log_odds < 0:
        odds = math.exp(log_odds)
        return odds / (1 + odds)
    return 1 / (1 + math.exp(-log_odds))


def find_calibration(final: Path) -> Calibration | None:
    """Calibration of the model in a final/ directory; None where it has none.

    Raises:
        TrainingError: the file is damaged (each wrong key is named), of another schema or of
            another model, or votes of functions that are no longer the same.
    """
    path = final / FILE
    found = KIND.find(path)
    if found is None:
        return None
    if found.model != model_sha256(final):
        raise TrainingError(f"{path} is the calibration of another model", hint=ANEW)
    if found.functions_version != VERSION and any(t.kind is TermKind.VOTE for t in found.terms):
        raise TrainingError(
            f"{path} weighs votes of labelling functions in version {found.functions_version}, and "
            f"here they are in version {VERSION}",
            hint=ANEW,
        )
    return found


def write_calibration(final: Path, calibration: Calibration) -> None:
    """Replace the calibration of a model in one step."""
    fields: Fields = asdict(calibration)
    write_json(final / FILE, {"schema": SCHEMA, "sha256": calibration.sha256, **fields})


def remove_calibration(final: Path) -> bool:
    """Take a model's calibration away; whether it had one, damaged or not."""
    path = final / FILE
    had = path.is_file()
    path.unlink(missing_ok=True)
    return had


def carry_over(final: Path, other: Path) -> None:
    """Give the calibration of a model, if it has one, to the same model in another form.

    Raises:
        TrainingError: it is damaged.
    """
    if (found := find_calibration(final)) is not None:
        write_calibration(other, replace(found, model=model_sha256(other)))


def calibrated_sha256(calibration: Calibration) -> str:
    """Identity of a model with its calibration: another one gives other scores."""
    return _sha256_of([calibration.model, calibration.sha256])


def _sha256_of(fields: Any) -> str:
    text = json.dumps(fields, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


_MAKE = made_by(TypeAdapter(Calibration))


def _whole(fields: Fields) -> Calibration:
    """The calibration, if its sha256 is that of its other fields."""
    stated = fields.pop("sha256", None)
    # the fields first: which of them is wrong says more than that some is
    made = _MAKE(fields)
    if stated != _sha256_of(fields):
        raise Damaged("sha256 is not that of the rest, which has changed since it was written")
    return made


KIND = RecordKind(SCHEMA, _whole, TrainingError, ANEW, ANEW)
