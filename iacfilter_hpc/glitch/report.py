"""GLITCH's reports, read row by row, in the five forms that exist, told apart by content.

2022          PATH,LINE,CODE,REPR without a header (version 1.0.1 as well)
v2            header PATH,LINE,ERROR,DESCRIPTION,CODE; ERROR holds the code
linter-2022   DESCRIPTION,PATH,LINE,CODE,REPR without a header: what --linter prints
linter        DESCRIPTION,PATH,LINE,ERROR,DESCRIPTION,CODE: the same of version 2
replication   header PATH,LINE,ERROR; ERROR holds the smell in words

No CSV reader fits the first four, in which nothing is quoted: paths, descriptions and values hold
commas and quotes as they are. A row is read from its first `,LINE,CODE,`, and a line that has none
is a bad row: it is never taken for the continuation of the row before.

On standard output GLITCH prints tables of statistics after the rows, and bars of progress before
them. They are no rows, and hold nothing that could be lost. Its form for people (neither --csv nor
--linter) has no codes, and is refused.
Source: sr-lab/GLITCH, glitch/analysis/rules.py, Error.to_csv; glitch/stats/print.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from iacfilter_hpc.errors import DataError, numbered
from iacfilter_hpc.samples.byte_lines import MAX_ROW_BYTES, Line, is_cut_off, read_lines
from iacfilter_hpc.samples.smells import rule_of, smell_of_code, smell_of_words

CsvFormat = Literal["2022", "v2", "linter-2022", "linter", "replication"]

HEADERS: dict[str, CsvFormat] = {
    "PATH,LINE,ERROR,DESCRIPTION,CODE": "v2",
    "PATH,LINE,ERROR": "replication",
}
# GLITCH writes - for no description; a suggestion may list values, and words of others hold commas
# before the CWE with which they end
_DESCRIPTION = r"(?P<description>-|Suggestion: .*?\.|[^,]*[.)]|.*?\(CWE-[^)]{1,80}\)\.?|[^,]*)"
# Rows may be hostile, so a match must take time linear in their length, as a test sees to: hence
# bounded and possessive repeats. GLITCH writes line -1 for what it cannot place.
_START = r"(?P<path>.+?),(?P<line>-?[0-9]{1,9}),"
# every code has an underscore, which tells it from words of a description
_CODE = r"(?P<code>[a-z][a-z0-9]*(?:_[a-z0-9]+)+)"
# in the other two formats the last column takes it in, and decision_in cuts it off again
_DECISION = r"(?:,(?:(?:TP|FP)(?: by a person)?|UNJUDGED: [^,]+),[0-9.]*)?"
ROWS: dict[CsvFormat, re.Pattern[str]] = {
    "2022": re.compile(rf"{_START}{_CODE},(?P<detail>.*)"),
    "v2": re.compile(rf"{_START}{_CODE},{_DESCRIPTION},(?P<detail>.*)"),
    # what stands before the path is cut off from it later
    "linter-2022": re.compile(rf"{_START}{_CODE},(?P<detail>.*)"),
    "linter": re.compile(rf"{_START}{_CODE},{_DESCRIPTION},(?P<detail>.*)"),
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
    "linter-2022": "DESCRIPTION,PATH,LINE,CODE,REPR",
    "linter": "DESCRIPTION,PATH,LINE,ERROR,DESCRIPTION,CODE",
    "replication": "PATH,LINE,ERROR",
}
LINTER: tuple[CsvFormat, ...] = ("linter-2022", "linter")
ABOUT = re.compile(r"(?P<about>(?>[^,]*? - )(?:[^,]*[.)]|.*?\(CWE-[^)]{1,80}\)\.?)),(?P<path>.+)")
"""What a row of a linter form has before its line: `Name - Description. (CWE-1),PATH`."""
PEOPLE = re.compile(r"Issue(?: on line -?[0-9]+)?: .+ - ")
"""A line of GLITCH's form for people: the second, unless bars of progress stand before it."""
LOOKED_AT = 50
"""Lines in which it shows that a file is of that form, or has a header below its first line."""
TALK = re.compile(
    # prettytable's borders and rows of four or two cells
    r"\+-[-+]*\+|\|(?:[^|]*\|){2}(?:(?:[^|]*\|){2})?"
    # --table-format latex
    r"|\\(?:begin|end)\{tabular\}.*|\\midrule|[^&]*&[^&]*(?:&[^&]*&[^&]*)?\\\\"
    # bars of progress: standard output has them in version 1.0.1, and with 2>&1 in any
    r"|\r?ANALYZING [A-Z][^\r]*(?:\rANALYZING [A-Z][^\r]*)*"
)
PLACE = re.compile(rf",-?[0-9]{{1,9}},{_CODE},")
TOTAL = re.compile(r"(?:\| *)?Combined *[|&] *(?P<count>[0-9][0-9,]{0,20}) *[|&].*")

SHOWN_OF_LONG_ROW = 1000
UTF16 = (b"\xff\xfe", b"\xfe\xff")
HINT = "GLITCH writes it with --csv: PATH,LINE,CODE,... on each line, perhaps below a header"
CSV_HINT = "let GLITCH write its CSV form to a file: glitch lint --csv ... SCRIPTS REPORT"


@dataclass(frozen=True, slots=True)
class Detection:
    """Detection in one row. `code`, `detail` and `description` are GLITCH's words.

    `smell` None: an unknown code. `description` is empty in forms that have none, and where GLITCH
    gives none.

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
    description: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no row of the report's form; of one beyond 8 MiB `raw` is the beginning."""

    row: int
    raw: str
    problem: str
    kind: str | None = None
    """The problem with N for its numbers; None where it has none."""
    is_talk: bool = False
    """Whether it is what GLITCH prints around its rows: statistics, progress, a header again."""

    @property
    def is_blank(self) -> bool:
        """Whether the line is no row, not even half of one: no detection, and nothing lost."""
        return self.is_talk or not self.raw.strip()


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
        # a file may mix line ends, and its own is only that of the first line
        plain = raw.removesuffix("\r")
        found = None if (problem := _unreadable(raw)) else ROWS[self.format].fullmatch(plain)
        # a row first: nothing that could be one is ever taken for talk
        if found is None:
            if self._is_talk(plain):
                return BadRow(number, raw, "printed by GLITCH around its rows", is_talk=True)
            return BadRow(number, raw, problem or f"not {COLUMNS[self.format]}")
        made = self._detection(number, raw, found)
        if isinstance(made, Detection) and not line.ended and self._is_half(made):
            return BadRow(number, raw, "the file ends inside this row")
        return made

    def _detection(self, number: int, raw: str, found: re.Match[str]) -> Detection | BadRow:
        code, path, about = found["code"].strip(), found["path"], ""
        if self.format in LINTER:
            told = about_and_path(path, code)
            if told is None:
                return BadRow(number, raw, f"not {COLUMNS[self.format]}")
            about, path = told
        said = found.groupdict().get("description") or ""
        return Detection(
            row=number,
            path=path,
            line=int(found["line"]),
            code=code,
            smell=smell_of_words(code) if self.format == "replication" else smell_of_code(code),
            detail=found["detail"].removesuffix(self.decision_in(raw)),
            raw=raw,
            description=about if said in ("", "-") else said,
        )

    def _is_talk(self, plain: str) -> bool:
        # the header again: reports of several technologies, one after the other
        if plain == self.header:
            return True
        # progress and a row may share a line
        return TALK.fullmatch(plain.rstrip()) is not None and not PLACE.search(plain)

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

    def _is_half(self, row: Detection) -> bool:
        """Whether a last row without line end looks like one and lacks what every row has."""
        # not those of 2022, whose last column is free text: a cut there leaves the detection whole
        if self.format == "replication":
            return row.smell is None
        if self.format != "v2":
            return False
        # GLITCH's sentences end so, and - is written where it has none
        whole = row.description.endswith((".", ")"))
        return not (whole or f",{row.code},-," in row.raw)


def about_and_path(text: str, code: str) -> tuple[str, str] | None:
    """What stands before `,LINE,CODE` in a linter form, parted; None if it is a path alone."""
    found = ABOUT.fullmatch(text)
    if found is None:
        return None
    smell = smell_of_code(code)
    # a path may look like it, but not begin with the name of the very rule
    if smell is not None and not text.startswith(f"{rule_of(smell, code).name} - "):
        return None
    return found["about"], found["path"]


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
    header = None if csv_format is None else text
    # the forms without header are known by their first row that can be read
    report = GlitchReport(path, csv_format or "2022", header, newline, line.bom)
    if csv_format == "replication":
        return report
    _check_beginning(report)
    found = next((row for row in report.rows() if isinstance(row, Detection)), None)
    if found is None:
        return report if header is not None else _without_rows(report, may_be_empty)
    return replace(report, format=_linter_form(found) or report.format)


def _linter_form(found: Detection) -> CsvFormat | None:
    """The linter form of a row that was read as one of a CSV form, None if it is of that."""
    told = about_and_path(found.path, found.code)
    if told is None:
        return None
    # of what follows the code, version 2 has a description first: this one, another, or a -
    rest = found.raw.partition(f",{found.code},")[2]
    return "linter" if rest.startswith((f"{told[0]},", "-,", "Suggestion: ")) else "linter-2022"


def _check_beginning(report: GlitchReport) -> None:
    """See that a report begins as one; what would be misread is refused.

    Raises:
        DataError: it is GLITCH's form for people, or its header is not its first line.
    """
    for number, line in islice(read_lines(report.path), LOOKED_AT):
        text = line.text(report.newline)
        if PEOPLE.match(text):
            raise DataError(
                f"{report.path} is GLITCH's form for people, which has no codes", hint=CSV_HINT
            )
        # perhaps on the line of a bar of progress, which ends in a carriage return; a report of
        # several technologies has the same on its first line
        if report.header is None and _spelt(text.rpartition("\r")[2]) in HEADERS:
            raise DataError(
                f"{report.path}:{number}: the header of a report, below other output",
                hint="GLITCH prints its progress on standard error: write > REPORT without 2>&1",
            )


def _without_rows(report: GlitchReport, may_be_empty: bool) -> GlitchReport:
    """A report without header and rows: of nothing, if all there is are statistics that say so.

    Raises:
        DataError: it is no report, or another file has its rows.
    """
    totals: list[int] = []
    for row in report.rows():
        if not (isinstance(row, BadRow) and row.is_blank):
            totals.clear()
            break
        if found := TOTAL.fullmatch(row.raw.strip()):
            totals.append(int(found["count"].replace(",", "")))
    if not totals:
        raise DataError(f"{report.path} has no row {' or '.join(COLUMNS.values())}", hint=HINT)
    # GLITCH of 2022 prints no header: with --csv, statistics are all of a clean scan's output
    if may_be_empty and not sum(totals):
        return report
    raise DataError(
        f"{report.path} holds GLITCH's statistics alone, which count {sum(totals)}",
        hint=f"its rows are in the file that GLITCH was told to write; {CSV_HINT}",
    )


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
