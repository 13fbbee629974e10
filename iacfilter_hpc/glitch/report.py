"""GLITCH's CSV reports, read row by row, in the three formats that exist, told apart by content.

2022          PATH,LINE,CODE,REPR without a header; nothing is quoted
v2            header PATH,LINE,ERROR,DESCRIPTION,CODE; nothing is quoted, ERROR holds the code
replication   header PATH,LINE,ERROR; ERROR holds the smell in words

No CSV reader fits the first two: paths, descriptions and values hold commas and quotes as they
are. A row is read from its first `,LINE,CODE,`, and a line that has none is a bad row: it is never
taken for the continuation of the row before.
Source: sr-lab/GLITCH, glitch/analysis/rules.py, Error.to_csv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iacfilter_hpc.errors import DataError, numbered
from iacfilter_hpc.samples.byte_lines import MAX_ROW_BYTES, Line, is_cut_off, read_lines
from iacfilter_hpc.samples.smells import smell_of_code, smell_of_words

CsvFormat = Literal["2022", "v2", "replication"]

HEADERS: dict[str, CsvFormat] = {
    "PATH,LINE,ERROR,DESCRIPTION,CODE": "v2",
    "PATH,LINE,ERROR": "replication",
}
# Rows may be hostile, so a match must take time linear in their length, as a test sees to: hence
# bounded and possessive repeats. GLITCH writes line -1 for what it cannot place.
_START = r"(?P<path>.+?),(?P<line>-?[0-9]{1,9}),"
# every code has an underscore, which tells it from words of a description
_CODE = r"(?P<code>[a-z][a-z0-9]*(?:_[a-z0-9]+)+)"
# in the other two formats the last column takes it in, and decision_in cuts it off again
_DECISION = r"(?:,(?:(?:TP|FP)(?: by a person)?|UNJUDGED: [^,]+),[0-9.]*)?"
ROWS: dict[CsvFormat, re.Pattern[str]] = {
    "2022": re.compile(rf"{_START}{_CODE},(?P<detail>.*)"),
    # the description ends with its CWE, and may hold commas before it
    "v2": re.compile(rf"{_START}{_CODE},(?:.*?\(CWE-[^)]{{1,80}}\)|[^,]*),(?P<detail>.*)"),
    "replication": re.compile(rf"{_START}(?P<code>(?=[^,]*[^,\s])[^,]*+)(?P<detail>){_DECISION}"),
}
DECISION_COLUMNS = ",DECISION,P_TP"
"""What iacfilter-filter adds to each row: its reports can be read as GLITCH's own."""
BY_PERSON = " by a person"
"""Follows a decision that no model has made."""
DECISION = re.compile(rf",(?:(?:TP|FP),[01]\.[0-9]{{6}}|(?:TP|FP){BY_PERSON},|UNJUDGED: [^,]+,)\Z")
COLUMNS: dict[CsvFormat, str] = {
    "2022": "PATH,LINE,CODE,REPR",
    "v2": "PATH,LINE,ERROR,DESCRIPTION,CODE",
    "replication": "PATH,LINE,ERROR",
}


def is_of_linter(path: str) -> bool:
    """Whether what was read as a path begins with a description: `Title - Words. (CWE-1),`."""
    title, dash, rest = path.partition(" - ")
    return bool(dash) and "," not in title and bool(re.search(r"\(CWE-[^)]{1,80}\),.", rest))


SHOWN_OF_LONG_ROW = 1000
UTF16 = (b"\xff\xfe", b"\xfe\xff")
HINT = "GLITCH writes it with --csv: PATH,LINE,CODE,... on each line, perhaps below a header"


@dataclass(frozen=True, slots=True)
class Detection:
    """Detection in one row. `code` and `detail` are GLITCH's words; `smell` None: an unknown code.

    `raw` is the row as in the file, without its line end; `raw.encode("utf-8", "surrogateescape")`
    gives back its bytes. `row` is the line of the file, from 1. `line` may be -1 or past the end.
    """

    row: int
    path: str
    line: int
    code: str
    smell: str | None
    detail: str
    raw: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no row of the report's form; of one beyond 8 MiB `raw` is the beginning."""

    row: int
    raw: str
    problem: str
    kind: str | None = None
    """The problem with N for its numbers; None where it has none."""

    @property
    def is_blank(self) -> bool:
        """Whether the line holds nothing: no detection, and nothing lost."""
        return not self.raw.strip()


@dataclass(frozen=True, slots=True)
class GlitchReport:
    """A report on disk. `header` and every `raw` are without line end and byte order mark."""

    path: Path
    format: CsvFormat
    header: str | None
    newline: str
    bom: bool

    def rows(self) -> Iterator[Detection | BadRow]:
        """Every row in its order; memory does not grow with the file.

        Raises:
            DataError: the file can no longer be read.
        """
        for number, line in read_lines(self.path):
            if number > 1 or self.header is None:
                yield self._row(number, line)

    def _row(self, number: int, line: Line) -> Detection | BadRow:
        raw = line.text(self.newline)
        if line.too_long:
            raw = raw[:SHOWN_OF_LONG_ROW]
            return BadRow(number, raw, *numbered("longer than {} MiB", MAX_ROW_BYTES // 2**20))
        if problem := _unreadable(raw):
            return BadRow(number, raw, problem)
        # a file may mix line ends, and its own is only that of the first line
        found = ROWS[self.format].fullmatch(raw.removesuffix("\r"))
        if found is None:
            return BadRow(number, raw, f"not {COLUMNS[self.format]}")
        code = found["code"].strip()
        smell = smell_of_words(code) if self.format == "replication" else smell_of_code(code)
        if not line.ended and self._is_half(raw, smell):
            return BadRow(number, raw, "the file ends inside this row")
        detail = found["detail"].removesuffix(self.decision_in(raw))
        return Detection(number, found["path"], int(found["line"]), code, smell, detail, raw)

    def decision_in(self, raw: str) -> str:
        """The columns that iacfilter-filter has added to a row, "" if it has not."""
        # below a header without the columns, words that look like them are GLITCH's own
        marked = self.header is None or self.names_decisions
        found = DECISION.search(raw.removesuffix("\r")) if marked else None
        return found[0] if found else ""

    @property
    def names_decisions(self) -> bool:
        """Whether the header has the columns of iacfilter-filter."""
        return self.header is not None and _spelt(self.header).endswith(DECISION_COLUMNS)

    @property
    def is_cut_off(self) -> bool:
        """Whether the last line has no end: what wrote the report may have been stopped inside it.

        Raises:
            DataError: the file can no longer be read.
        """
        return is_cut_off(self.path)

    def _is_half(self, raw: str, smell: str | None) -> bool:
        """Whether a last row without line end looks like one and lacks what every row has."""
        # not that of 2022, whose last column is free text: a cut there leaves the detection whole
        return (self.format == "replication" and smell is None) or (
            self.format == "v2" and "(CWE-" not in raw
        )


def open_report(path: Path, *, may_be_empty: bool = False) -> GlitchReport:
    """Open a report and tell its format. A header without any row is a report of no detection.

    So is a file of no bytes if it may be: GLITCH of 2022 writes one when it has found nothing.

    Raises:
        DataError: the file cannot be read, is empty, or has no row of any known form.
    """
    first = next(read_lines(path), None)
    if first is None:
        if may_be_empty:
            return GlitchReport(path, "2022", None, "\n", bom=False)
        raise DataError(f"{path} is empty", hint=HINT)
    line = first[1]
    # some programs save it, and read as UTF-8 every row would be bad without saying why
    if line.content.startswith(UTF16):
        raise DataError(f"{path} is UTF-16", hint="save it as UTF-8")
    newline = "\r\n" if line.content.endswith(b"\r\n") else "\n"
    text = line.text(newline)
    csv_format = HEADERS.get(_spelt(text).removesuffix(DECISION_COLUMNS))
    if csv_format is not None:
        return GlitchReport(path, csv_format, text, newline, line.bom)
    # the format of 2022 has no header: it is known by its first row that can be read
    report = GlitchReport(path, "2022", None, newline, line.bom)
    found = next((row for row in report.rows() if isinstance(row, Detection)), None)
    if found is None:
        raise DataError(
            f"{path} has no row {' or '.join(COLUMNS.values())}",
            hint=HINT,
        )
    # its rows match as well, with a path that is none: nothing would be found and nothing judged
    if is_of_linter(found.path):
        raise DataError(
            f"{path} is GLITCH's linter form: description,PATH,LINE,CODE,...",
            hint="let GLITCH write its CSV form: glitch --csv",
        )
    return report


def _spelt(header: str) -> str:
    return header.replace(" ", "").upper()


def _unreadable(raw: str) -> str | None:
    """Why a line is no row of any form, if so."""
    if not raw.strip():
        return "empty line"
    if "\0" in raw:
        return "it has a NUL byte"
    # a file of another system's line ends would be one row
    if "\r" in raw.rstrip("\r"):
        return "it has a carriage return inside"
    return None
