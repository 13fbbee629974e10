"""Read GLITCH's CSV reports row by row, in the three forms that exist, told apart by content.

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

from iacfilter_hpc.detections.smells import smell_of_code, smell_of_words
from iacfilter_hpc.errors import DataError

Form = Literal["2022", "v2", "replication"]

MAX_ROW_BYTES = 8 * 1024 * 1024
SHOWN_OF_LONG_ROW = 1000
BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
HINT = "GLITCH writes it with --csv: PATH,LINE,CODE,... on each line, perhaps below a header"

HEADERS: dict[str, Form] = {
    "PATH,LINE,ERROR,DESCRIPTION,CODE": "v2",
    "PATH,LINE,ERROR": "replication",
}
_START = r"(?P<path>.+?),(?P<line>-?[0-9]{1,9}),"
_CODE = r"(?P<code>[a-z][a-z0-9]*(?:_[a-z0-9]+)+)"
_VERDICT = r"(?:,(?:TP|FP|UNJUDGED: [^,]+),[0-9.]*)?"
ROWS: dict[Form, re.Pattern[str]] = {
    "2022": re.compile(rf"{_START}{_CODE},(?P<detail>.*)"),
    # the description ends with its CWE, and may hold commas before it
    "v2": re.compile(rf"{_START}{_CODE},(?:.*?\(CWE-[^)]{{1,80}}\)|[^,]*),(?P<detail>.*)"),
    "replication": re.compile(rf"{_START}(?P<code>[^,]*[^,\s][^,]*)(?P<detail>){_VERDICT}"),
}
VERDICT_COLUMNS = ",DECISION,P_TP"
"""What iacfilter-filter adds to each row: its reports can be read as GLITCH's own."""
COLUMNS: dict[Form, str] = {
    "2022": "PATH,LINE,CODE,REPR",
    "v2": "PATH,LINE,ERROR,DESCRIPTION,CODE",
    "replication": "PATH,LINE,ERROR",
}


@dataclass(frozen=True, slots=True)
class Detection:
    """One row. `code` and `detail` are GLITCH's words; `smell` is None for a code not known here.

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


@dataclass(frozen=True, slots=True)
class GlitchReport:
    """A report on disk. `header` and every `raw` are without line end and byte order mark."""

    path: Path
    form: Form
    header: str | None
    newline: str
    bom: bool

    def rows(self) -> Iterator[Detection | BadRow]:
        """Every row in its order; memory does not grow with the file.

        Raises:
            DataError: the file can no longer be read.
        """
        for number, line in _lines(self.path):
            if number > 1 or self.header is None:
                yield self._row(number, line)

    def _row(self, number: int, line: _Line) -> Detection | BadRow:
        raw = line.text(self.newline)
        if line.too_long:
            raw = raw[:SHOWN_OF_LONG_ROW]
            return BadRow(number, raw, f"longer than {MAX_ROW_BYTES // 2**20} MiB")
        if problem := _unreadable(raw):
            return BadRow(number, raw, problem)
        found = ROWS[self.form].fullmatch(raw.removesuffix("\r"))
        if found is None:
            return BadRow(number, raw, f"not {COLUMNS[self.form]}")
        code = found["code"].strip()
        smell = smell_of_words(code) if self.form == "replication" else smell_of_code(code)
        # only here a row that was cut off can still look like one
        if self.form == "replication" and smell is None and not line.ended:
            return BadRow(number, raw, "the file ends inside this row")
        return Detection(
            number, found["path"], int(found["line"]), code, smell, found["detail"], raw
        )


def open_report(path: Path) -> GlitchReport:
    """Find out the form of a report. A header without any row is a report of no detection.

    Raises:
        DataError: the file cannot be read, is empty, or has no row of any known form.
    """
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path} is empty", hint=HINT)
    line = first[1]
    if line.content.startswith(UTF16):
        raise DataError(f"{path} is UTF-16", hint="save it as UTF-8")
    newline = "\r\n" if line.content.endswith(b"\r\n") else "\n"
    bom = line.bom
    text = line.text(newline)
    form = HEADERS.get(text.replace(" ", "").upper().removesuffix(VERDICT_COLUMNS))
    if form is not None:
        return GlitchReport(path, form, text, newline, bom)
    report = GlitchReport(path, "2022", None, newline, bom)
    if not any(isinstance(row, Detection) for row in report.rows()):
        raise DataError(
            f"{path} has no row {' or '.join(COLUMNS.values())}",
            hint=HINT,
        )
    return report


@dataclass(frozen=True, slots=True)
class _Line:
    """One line's bytes, with its line end where it has one."""

    content: bytes
    too_long: bool
    bom: bool

    @property
    def ended(self) -> bool:
        return self.content.endswith(b"\n")

    def text(self, newline: str) -> str:
        content = self.content.removeprefix(BOM) if self.bom else self.content
        ending = newline.encode()
        content = content.removesuffix(ending if content.endswith(ending) else b"\n")
        return content.decode("utf-8", "surrogateescape")


def _lines(path: Path) -> Iterator[tuple[int, _Line]]:
    try:
        with path.open("rb") as file:
            number = 0
            while content := file.readline(MAX_ROW_BYTES):
                number += 1
                rest = content
                while not rest.endswith(b"\n") and len(rest) == MAX_ROW_BYTES:
                    rest = file.readline(MAX_ROW_BYTES)
                yield (
                    number,
                    _Line(
                        content,
                        too_long=rest is not content,
                        bom=number == 1 and content.startswith(BOM),
                    ),
                )
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


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
