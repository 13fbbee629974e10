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

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.filtering.safety.guard import CHANGED
from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.reasons import Reason
from iacfilter_hpc.glitch.report import GlitchReport


@dataclass(slots=True)
class FirstReading:
    """p(TP) of each row in 8 bytes, and in 4 the number of the reason of one that has none."""

    _p_tp: array[float] = field(default_factory=lambda: array("d"))
    _reason: array[int] = field(default_factory=lambda: array("i"))
    _reasons: dict[Reason, int] = field(default_factory=dict)

    def add(self, judged: Iterable[DecidedRow]) -> None:
        """Note some rows."""
        for each in judged:
            self._p_tp.append(math.nan if each.p_tp is None else each.p_tp)
            self._reason.append(self._number(_lasting(each)))

    def results(self) -> Iterator[float | Reason]:
        """p(TP) of each row, or why it has none."""
        # few, as they name smells, technologies and rules: rows share them
        reasons = list(self._reasons)
        for p_tp, number in zip(self._p_tp, self._reason, strict=True):
            yield reasons[number] if math.isnan(p_tp) else p_tp

    def _number(self, reason: Reason) -> int:
        return self._reasons.setdefault(reason, len(self._reasons))


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
