"""Misses: real smells that GLITCH did not report, and the scores of GLITCH and a system as one.

The samples are what GLITCH reported, so that a recall on them is of those alone. With what it
missed, and with reports that no system judges and a filter keeps, precision, recall and F1 are of
all smells in the scripts: no filter can win back a miss, and none is blamed for it by itself.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iacfilter_hpc.comparison.external import LINE_NUMBER, csv_reader
from iacfilter_hpc.comparison.statistics import SystemBreakdown, measure
from iacfilter_hpc.comparison.systems import System
from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.samples.groups import Groups, Origin, read_groups
from iacfilter_hpc.samples.hashes import same_file, same_smell
from iacfilter_hpc.samples.sample import Label, Sample

COLUMNS = ("file", "line", "smell")
MISSED = "FN"
LABELS = (MISSED, "TP", "FP")
HINT = (
    "columns file, line, smell, and perhaps label: FN for a real smell that GLITCH did not report "
    "(all rows without that column), TP or FP for a report that no system judges; other columns "
    "are ignored"
)
Place = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Outside:
    """A smell outside the samples: missed by GLITCH, or reported and kept, rightly or not."""

    file: str
    line: int
    smell: str
    label: str

    @property
    def is_real(self) -> bool:
        """Whether it is a smell indeed."""
        return self.label != "FP"

    @property
    def is_kept(self) -> bool:
        """Whether it is reported, as nothing judges it; a miss is not."""
        return self.label != MISSED


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """End to end: scores of each system, by title, on samples and what stands outside them.

    `reported` rows of the file are samples, real ones, and so no misses.
    """

    path: Path
    missed: int
    kept: int
    reported: int
    breakdowns: tuple[tuple[str, SystemBreakdown], ...]


@dataclass(frozen=True, slots=True)
class Misses:
    """Misses of a file: what stands outside the samples, and how many rows are samples."""

    path: Path
    outside: tuple[Outside, ...]
    reported: int


def read_misses(path: Path, data: Labelled) -> Misses:
    """The rows of a file, which may be all that an oracle names: those reported are passed over.

    Raises:
        DataError: it cannot be read, lacks columns, or has wrong rows (all are named).
    """
    rows = csv_reader(path, HINT)
    try:
        return _checked(path, rows, data)
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: not CSV: {error}", hint=HINT) from error


def end_to_end(
    misses: Misses,
    systems: Sequence[System],
    data: Labelled,
    groups: Path | None,
    draws: int,
    seed: int,
) -> EndToEnd:
    """Scores of systems with what stands outside the samples; `draws`, `seed`: the bootstrap's."""
    known = _origins(data, Groups() if groups is None else read_groups(groups))
    outside = [_sample(each, known.of(same_file(each.file))) for each in misses.outside]
    samples = [*data.samples, *outside]
    kept = tuple(each.is_kept for each in misses.outside)
    return EndToEnd(
        path=misses.path,
        reported=misses.reported,
        missed=kept.count(False),
        kept=kept.count(True),
        breakdowns=tuple(
            (system.title, measure(_extended(system, kept), samples, draws, seed))
            for system in systems
        ),
    )


def _extended(system: System, kept: tuple[bool, ...]) -> System:
    """The system with decisions on what stands outside; of these there is no p(TP)."""
    members = (replace(m, decided=(*m.decided, *kept), p_tp=None) for m in system.members)
    return replace(system, members=tuple(members))


def _origins(data: Labelled, groups: Groups) -> Groups:
    """The origin of each file, as the samples have it, else as the file of groups has it."""
    named = {same_file(file): origin for file, origin in groups.by_file.items()}
    of_samples = {same_file(s.file): Origin(s.repo, s.family) for s in data.samples}
    return Groups({**named, **of_samples})


def _sample(outside: Outside, origin: Origin) -> Sample:
    """A stand-in, which counts as a sample of its file, smell and group."""
    label: Label = "TP" if outside.is_real else "FP"
    return Sample(
        smell=same_smell(outside.smell),
        file=same_file(outside.file),
        content="",
        line=outside.line,
        detection_span=(outside.line, outside.line),
        with_context="",
        with_prompt="",
        label=label,
        source="outside the samples",
        repo=origin.repo,
        family=origin.family,
    )


def _checked(path: Path, rows: csv.DictReader[str], data: Labelled) -> Misses:
    columns = list(rows.fieldnames or [])
    if set(COLUMNS) - set(columns) or len(set(columns)) < len(columns):
        raise DataError(f"{path}:1: the columns are {', '.join(columns) or 'none'}", hint=HINT)
    reported = {_place(s.file, s.line, s.smell): s.label for s in data.samples}
    found: dict[Place, Outside] = {}
    problems: list[str] = []
    for row in rows:
        where = f"{path}:{rows.line_num}"
        # csv puts what is beyond the header under None, and None for what is missing
        if None in row or None in row.values():
            problems.append(f"{where}: it does not have {len(columns)} columns")
        elif wrong := [*_problems(row)]:
            problems += [f"{where}: {problem}" for problem in wrong]
        else:
            one = Outside(row["file"], int(row["line"]), row["smell"], row.get("label", MISSED))
            place = _place(one.file, one.line, one.smell)
            if clash := _clash(one, reported.get(place), is_repeated=place in found):
                problems.append(f"{where}: {one.file} {one.line} {one.smell} {clash}")
            found.setdefault(place, one)
    if problems:
        raise DataError("\n".join(problems), hint=HINT)
    # no rows are no mistake: GLITCH may have missed nothing
    outside = tuple(one for place, one in found.items() if place not in reported)
    return Misses(path, outside, len(found) - len(outside))


def _clash(row: Outside, label: Label | None, *, is_repeated: bool) -> str | None:
    """What a row says against those before it, or against the sample there, which has a label."""
    if is_repeated:
        return "occurs before"
    if label == "FP":
        return "is labelled FP among the samples"
    # a real smell that the samples have too is what an oracle names, and was not missed
    return "is a sample, which systems judge" if label is not None and row.is_kept else None


def _place(file: str, line: int, smell: str) -> Place:
    return same_file(file), line, same_smell(smell)


def _problems(row: dict[str, str]) -> Iterator[str]:
    for name in ("file", "smell"):
        if not row[name].strip():
            yield f"{name} is empty"
    if not LINE_NUMBER.fullmatch(row["line"]):
        yield f"line is {row['line']!r}, not a line number from 1"
    if row.get("label", MISSED) not in LABELS:
        yield f"label is {row['label']!r}, not {', '.join(LABELS[:-1])} or {LABELS[-1]}"
