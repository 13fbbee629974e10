"""Filtered report: its own rows again, byte for byte, each with what was decided about it.

A row is followed by two columns, DECISION and P_TP, which the header names if there is one:

    a.yml,9,sec_https,url: http://a.example,TP,0.973124
    a.yml,12,sec_hard_secr,password: none,FP,0.031207        (only if all rows are written)
    a.yml,14,sec_https,url: http://a.test,FP by a person,        (only if all rows are written)
    b.yml,3,sec_https,url: http://b.example,UNJUDGED: file is missing,

Nothing in GLITCH's forms is quoted, and the last column of two of them is free text. So the columns
stand at the end and hold no comma: cut off what follows the last comma but one, and the row is
GLITCH's own again. Readers that split from the left find every column of GLITCH where it was.
Of a report that was filtered before, the old columns give way to the new ones. What GLITCH prints
around its rows is left out: statistics would count what is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.report import BY_PERSON, DECISION_COLUMNS, BadRow, GlitchReport
from iacfilter_hpc.glitch.rows import PIECE, Row, Span, header_span
from iacfilter_hpc.samples.byte_lines import BOM

UNJUDGED = "UNJUDGED"
BYTES = ("utf-8", "surrogateescape")

Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class FilteredReport:
    """Writer of a filtered report: rows of `report`, read again from `source`, go to `write`.

    `every` keeps those judged FP too; `bare` leaves the two columns away.
    """

    report: GlitchReport
    source: BinaryIO
    write: Write
    every: bool = False
    bare: bool = False

    def begin(self) -> None:
        """Write what stands before the first row: byte order mark and header, if there are any."""
        # spans leave it out, also that of the header
        if self.report.bom:
            self.write(BOM)
        header = self.report.header
        if header is not None:
            # so that a report is filtered again as often as one likes and has two columns, not four
            old = len(header) - len(header.rsplit(",", 2)[0]) if self.report.names_decisions else 0
            self._write(header_span(self.report), DECISION_COLUMNS, old)

    def add(self, judged: Iterable[DecidedRow]) -> None:
        """Write the next rows.

        Raises:
            DataError: the report can no longer be read.
        """
        for each in judged:
            found = each.row.found
            if isinstance(found, BadRow) and found.is_talk:
                continue
            if each.decision != "FP" or self.every:
                # a blank line is no row: with columns it would become one
                columns = "" if each.row.is_blank else _columns(each)
                self._write(each.row.span, columns, self._old(each.row))

    def _old(self, row: Row) -> int:
        """The bytes at a row's end that an earlier filter has added."""
        raw = row.found.raw
        # of a row that is too long only the beginning is known
        if isinstance(row.found, BadRow) and len(raw.encode(*BYTES)) < row.span.size:
            return 0
        return len(self.report.decision_in(raw).encode(*BYTES))

    def _write(self, span: Span, columns: str, old: int) -> None:
        # copied from the file and not from `raw`: of a row beyond 8 MiB that is only the beginning
        self.source.seek(span.start)
        left = span.size - old
        while left:
            piece = self.source.read(min(left, PIECE))
            # the end of the file, where the row had bytes a moment ago
            if not piece:
                raise DataError(f"{self.report.path} changed while it was read")
            self.write(piece)
            left -= len(piece)
        self.write((b"" if self.bare else columns.encode()) + span.ending)


def _columns(judged: DecidedRow) -> str:
    if judged.reason is not None:
        return f",{UNJUDGED}: {_without_commas(judged.reason.text)},"
    if judged.person is not None:
        return f",{judged.decision}{BY_PERSON},"
    # always six digits, by which report.DECISION knows the columns again
    return f",{judged.decision},{judged.p_tp:.6f}"


def _without_commas(text: str) -> str:
    """One field of an unquoted row; a name that is no UTF-8 is written with question marks."""
    plain = text.encode("utf-8", "replace").decode().replace(",", ";")
    # a line end in a folder's name would break the row in two
    return "".join(c if c.isprintable() else "?" for c in plain)
