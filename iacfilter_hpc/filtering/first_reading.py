"""First reading of a report: every row is scored before the first one is written.

What all rows together say decides what may be removed. Of each row a number is kept, and not the
row: the second reading makes it again from the report and the scripts.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.filtering.safety.guard import CHANGED
from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.reasons import Reason
from iacfilter_hpc.glitch.report import GlitchReport


@dataclass(frozen=True, slots=True)
class Result:
    """What a first reading found of a row: p(TP) or why there is none, and what row that was."""

    p_tp: float | Reason
    mark: int


@dataclass(slots=True)
class FirstReading:
    """p(TP) of each row in 8 bytes, its mark in 8, and in 4 the reason of one that has none."""

    _p_tp: array[float] = field(default_factory=lambda: array("d"))
    _mark: array[int] = field(default_factory=lambda: array("Q"))
    _reason: array[int] = field(default_factory=lambda: array("i"))
    _reasons: dict[Reason, int] = field(default_factory=dict)

    def add(self, judged: Iterable[DecidedRow]) -> None:
        """Note some rows."""
        for each in judged:
            self._p_tp.append(math.nan if each.p_tp is None else each.p_tp)
            self._mark.append(_mark(each))
            self._reason.append(self._number(_lasting(each)))

    def results(self) -> Iterator[Result]:
        """What was found of each row."""
        # few, as they name smells, technologies and rules: rows share them
        reasons = list(self._reasons)
        for p_tp, mark, number in zip(self._p_tp, self._mark, self._reason, strict=True):
            yield Result(reasons[number] if math.isnan(p_tp) else p_tp, mark)

    def _number(self, reason: Reason) -> int:
        return self._reasons.setdefault(reason, len(self._reasons))


def result_for(row: DecidedRow, found: Result | None) -> float | Reason:
    """What was found of this very row, as it was then; else that its script has changed."""
    return CHANGED if found is None or found.mark != _mark(row) else found.p_tp


def _mark(row: DecidedRow) -> int:
    """What tells a row, with what of its script is scored, from any other."""
    # scripts and an earlier report may change between the readings: no score may slip to another
    # row, or to another text of the same one
    text = "" if row.sample is None else f"{row.sample.content}\0{row.sample.with_prompt}"
    both = f"{row.row.found.raw}\0{text}".encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(both, digest_size=8).digest())


def _lasting(judged: DecidedRow) -> Reason:
    # a row without a sample is asked for nothing, unless its script has come since
    return CHANGED if judged.sample is None or judged.reason is None else judged.reason


@contextmanager
def unchanged(report: GlitchReport) -> Iterator[None]:
    """See that a report is the same file with the same bytes after two readings as before.

    Raises:
        DataError: it is not.
    """
    before = _identity(report)
    yield
    if _identity(report) != before:
        raise DataError(
            f"{report.path} changed while it was read",
            hint="start again when GLITCH has written all of it",
        )


def _identity(report: GlitchReport) -> tuple[int, int, int, int]:
    found = os.stat(report.path)  # noqa: PTH116 - one call for all of it
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
