"""Baseline: the findings that were there before, so that a filter shows only what is new.

It says nothing of right or wrong: a real password that was there is in it, as is a false alarm.

A file that was written as a baseline has fingerprints, which survive moved lines and renamed files
(anchor.py). An earlier report has none, and the scripts that it was about are gone: a row of it is
known again only if path, line, code and words are the same, so lines that have moved count as new.
To match them by their words alone would hide a new finding behind an old one.

A row that has no place in a script (it is no detection, its file is missing) is always new to a
baseline of fingerprints.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from iacfilter_hpc.glitch.report import BadRow, Detection, GlitchReport, open_report
from iacfilter_hpc.glitch.rows import Row
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import prefix_of
from iacfilter_hpc.samples.byte_lines import unreadable
from iacfilter_hpc.verdicts.anchor import anchor
from iacfilter_hpc.verdicts.records import read_records
from iacfilter_hpc.verdicts.repository import Repository, repository_of
from iacfilter_hpc.verdicts.verdict import FINDING, line_of

Write = Callable[[bytes], object]


class KeyOf(Protocol):
    """What a row of a report is known by, None if by nothing."""

    def __call__(self, found: Detection | BadRow, /) -> Hashable | None: ...


@dataclass(slots=True)
class Baseline:
    """Baseline of a report; `rows` counts those that it knew, as they go by.

    `is_report` says that it was an earlier report, which has no fingerprints.
    """

    path: Path
    is_report: bool
    _known: frozenset[Hashable]
    _lost: int
    _key_of: KeyOf
    rows: int = 0
    _seen: set[Hashable] = field(default_factory=set)

    def only_new(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows that were not there before, in their order; each reading counts anew."""
        self.rows, self._seen = 0, set()
        for row in rows:
            key = self._key_of(row.found)
            if key is not None and key in self._known:
                self.rows += 1
                self._seen.add(key)
            else:
                yield row

    @property
    def gone(self) -> int:
        """What was there before and is not among the rows of the last reading."""
        return len(self._known) - len(self._seen) + self._lost


def read_baseline(path: Path, scripts: Scripts) -> Baseline:
    """A baseline of either kind, for a report about these scripts.

    Raises:
        DataError: the file cannot be read, or is neither.
    """
    if _is_report(path):
        return _of_report(open_report(path, may_be_empty=True), scripts)
    repository = repository_of(scripts.folder)
    places = repository.places(scripts)
    found = {each.key: each for each in read_records(path, FINDING)}
    anchored = anchor(found.values(), repository)

    def key_of(found: Detection | BadRow, /) -> Hashable | None:
        return places.of(found) if isinstance(found, Detection) else None

    known = frozenset(anchored.standing)
    return Baseline(path, False, known, len(anchored.expired), key_of)


def write_baseline(write: Write, report: GlitchReport, scripts: Scripts) -> int:
    """Write what all rows of a report are known by; how many findings those are.

    Raises:
        DataError: the report can no longer be read.
    """
    repository = repository_of(scripts.folder)
    lines = _lines(report, scripts, repository)
    write("".join(lines).encode())
    return len(lines)


def _lines(report: GlitchReport, scripts: Scripts, repository: Repository) -> list[str]:
    places = repository.places(scripts)
    every = {places.of(row) for row in report.rows() if isinstance(row, Detection)}
    found = repository.findings(place for place in every if place is not None)
    # two codes of one smell are one finding
    return [line_of(each) for each in {each.key: each for each in found}.values()]


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            # a baseline of no findings is empty; an empty report would know as little
            return file.read(1) not in (b"{", b"")
    except OSError as error:
        raise unreadable(path, error) from error


def _of_report(report: GlitchReport, scripts: Scripts) -> Baseline:
    before = Scripts(scripts.folder, prefix_of(report, scripts.folder))
    keys = frozenset(_words(row, before) for row in report.rows()) - {None}

    def key_of(found: Detection | BadRow, /) -> Hashable | None:
        return _words(found, scripts)

    return Baseline(report.path, True, keys, 0, key_of)


def _words(found: Detection | BadRow, scripts: Scripts) -> Hashable | None:
    """All that a row says."""
    if isinstance(found, BadRow):
        return None if found.is_blank else found.raw
    file = scripts.relative(found.path) or found.path
    return file, found.line, found.code, found.detail
