"""What iacfilter-data check has found, and what of it says that the files must not be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.detections.consistency import contradictions_in, unknown_names
from iacfilter_hpc.detections.duplicates import KINDS, MEANING, Kind
from iacfilter_hpc.detections.leakage import DataFile, Leak, Repeats
from iacfilter_hpc.errors import DataError

if TYPE_CHECKING:
    from iacfilter_hpc.training.lengths import Lengths, Measure

SPLIT = "iacfilter-data split makes files that share nothing; --allow KIND accepts a kind"
ONE_PLACE = "content, line, detection_span and with_context are of one place in one file"
TOO_LONG = "--max-length may be too small, or the prompts are not of this approach"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A sample that contradicts itself: its file, its line there from 1, and how."""

    file: str
    row: int
    problem: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in the files; `lengths` is of each file, or empty without a model."""

    paths: tuple[Path, ...]
    files: tuple[DataFile, ...]
    leaks: tuple[Leak, ...]
    repeats: tuple[Repeats, ...]
    lengths: tuple[Lengths, ...]
    measure: Measure | None
    allowed: frozenset[Kind]

    @property
    def contradictions(self) -> list[Wrong]:
        """Samples whose fields cannot be of one place, in the files' order."""
        return [
            Wrong(file.name, row, problem)
            for file in self.files
            for row, sample in enumerate(file.samples, start=1)
            for problem in contradictions_in(sample)
        ]

    @property
    def warnings(self) -> list[str]:
        """What may be a slip, and is none to somebody who knows better."""
        return [
            f"{file.name}: {text}" for file in self.files for text in unknown_names(file.samples)
        ]

    @property
    def forbidden(self) -> list[Kind]:
        """The kinds of leaks that are not accepted, in order."""
        return [kind for kind in KINDS if kind not in self.allowed and self.of_kind(kind)]

    def of_kind(self, kind: Kind) -> list[Leak]:
        """The leaks of a kind."""
        return [leak for leak in self.leaks if leak.kind == kind]


def problems(found: Found) -> list[DataError]:
    """Why the files should not be used as they are, each kind with what to do about it."""
    contradictory = [f"{w.file}:{w.row}: {w.problem}" for w in found.contradictions]
    no_fit = [
        f"{file.name}:{index + 1}: {problem}"
        for file, lengths in zip(found.files, found.lengths, strict=False)
        for index, problem in lengths.no_fit
    ]
    parts = [(_leaks(found), SPLIT), (contradictory, ONE_PLACE), (no_fit, TOO_LONG)]
    return [DataError("\n".join(lines), hint=hint) for lines, hint in parts if lines]


def _leaks(found: Found) -> list[str]:
    wrong = []
    for kind in found.forbidden:
        pairs = sum(leak.pairs for leak in found.of_kind(kind))
        wrong.append(f"leakage: {pairs} pairs of different files have the {MEANING[kind]}")
    return wrong
