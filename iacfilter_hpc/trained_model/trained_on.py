"""Training record of a model, trained_on.json: labels by smell and technology, and recall.

It says what a model can know: how many real ones and false alarms of each smell and technology have
trained it, and how many chose its threshold; what it made of the latter; and which text it has
seen. A model of an earlier version has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from iacfilter_hpc.checkpoints.manifest import COPY_WHOLE
from iacfilter_hpc.errors import TrainingError, counted
from iacfilter_hpc.runs.files import write_json
from iacfilter_hpc.runs.record_schema import RecordKind
from iacfilter_hpc.runs.validation_errors import made_by
from iacfilter_hpc.samples.hashes import same_smell
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.decision import STRICT, VERSION_HINT, Share, Text
from iacfilter_hpc.trained_model.evidence import ValidationScores
from iacfilter_hpc.trained_model.known_text import KnownText, known_text

SCHEMA = 1
FILE = "trained_on.json"

FAMILIES, FILES = ("family", "families"), ("file", "files")

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCount:
    """Labels of one smell in one technology: those that trained, and those that chose."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    smell: Text
    technology: Text
    train_tp: Count = 0
    train_fp: Count = 0
    validation_tp: Count = 0
    validation_fp: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredLabel:
    """A validation sample's p(TP) and truth.

    `group` is a number for its family or repository, else for its file: `is_family` tells which.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    smell: Text
    technology: Text
    group: Count
    is_family: bool
    p_tp: Share
    is_tp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Recall on validation data, `kept` of `real`, of a smell, or of all where `smell` is None.

    `low` is the lower 95 % confidence bound over the `groups` that the real ones are of.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    smell: Text | None
    real: Count
    kept: Count
    groups: Count
    are_families: bool
    low: Share

    @property
    def grouped(self) -> str:
        """Of how many families, or files where these are unknown, in words."""
        return counted(self.groups, *(FAMILIES if self.are_families else FILES))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """What a model was trained and validated on; `recall` is that of its own threshold."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    labels: tuple[LabelCount, ...]
    scores: tuple[ScoredLabel, ...]
    recall: tuple[Recall, ...]
    text: KnownText


def trained_on(
    train: Sequence[Sample],
    validation: Sequence[Sample],
    scores: ValidationScores,
    recall: Sequence[Recall],
) -> TrainedOn:
    """The record of a model of these samples, whose scores are in the order of `validation`."""
    return TrainedOn(
        labels=count_labels(train, validation),
        scores=scored_labels(validation, scores),
        recall=tuple(recall),
        text=known_text((s.content for s in train), [s.content for s in validation]),
    )


def count_labels(train: Iterable[Sample], validation: Iterable[Sample]) -> tuple[LabelCount, ...]:
    """The labels of each smell in each technology, in alphabetical order."""
    counts = Counter(
        (same_smell(sample.smell), sample.technology, f"{part}_{str(sample.label).lower()}")
        for part, samples in (("train", train), ("validation", validation))
        for sample in samples
    )
    cells = sorted({(smell, technology) for smell, technology, _ in counts})
    parts = ("train_tp", "train_fp", "validation_tp", "validation_fp")
    return tuple(
        LabelCount(
            smell=smell,
            technology=technology,
            **{part: counts[smell, technology, part] for part in parts},
        )
        for smell, technology in cells
    )


def scored_labels(samples: Sequence[Sample], scores: ValidationScores) -> tuple[ScoredLabel, ...]:
    """Each sample with its score, and a number in the place of its origin."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(s.group for s in samples))}
    rows = zip(samples, scores.p_tp, scores.is_tp, strict=True)
    return tuple(
        ScoredLabel(
            smell=same_smell(sample.smell),
            technology=sample.technology,
            group=numbers[sample.group],
            is_family=bool(sample.family or sample.repo),
            p_tp=p_tp,
            is_tp=is_tp,
        )
        for sample, p_tp, is_tp in rows
    )


def write_trained_on(directory: Path, record: TrainedOn) -> None:
    """Write trained_on.json into a directory that nobody reads yet."""
    write_json(directory / FILE, {"schema": SCHEMA, **asdict(record)})


def find_trained_on(final: Path) -> TrainedOn | None:
    """The record of a model; None of one of an earlier version.

    Raises:
        TrainingError: it is damaged (each wrong key is named) or of another schema.
    """
    return TRAINED_ON.find(final / FILE)


TRAINED_ON = RecordKind(
    SCHEMA, made_by(TypeAdapter(TrainedOn)), TrainingError, COPY_WHOLE, version_hint=VERSION_HINT
)
