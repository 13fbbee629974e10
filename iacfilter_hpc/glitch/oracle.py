"""Oracle: human labels from a CSV file with the columns PATH, LINE, CATEGORY and AGREEMENT.

A detection is a TP if the oracle names its file, line and category, and an FP if the oracle knows
the file and names no such thing there. Of a file that the oracle does not know it says nothing.
Source: GLITCH's oracles (Saavedra and Ferreira, ASE 2022, 10.1145/3551349.3556945).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.scripts import Scripts, find_prefix
from iacfilter_hpc.samples.byte_lines import QUOTED, unreadable
from iacfilter_hpc.samples.sample import Label
from iacfilter_hpc.samples.smells import SMELLS, smell_of_words

# three people rated each script of GLITCH's oracles; AGREEMENT counts those who named a smell
RATERS = 3
NOTHING = "none"
COLUMNS = ("PATH", "LINE", "CATEGORY", "AGREEMENT")
Reported = tuple[str, int, str]
"""File, line and smell."""


@dataclass(frozen=True, slots=True)
class OracleLabel:
    """Label of a detection by the oracle; `confidence` is the share of raters who named it."""

    label: Label
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Oracle:
    """Oracle: how many raters name what where, the files they looked at, and paths of no file."""

    agreement: Mapping[Reported, int]
    files: frozenset[str]
    missing: tuple[str, ...]

    def label_of(self, file: str, line: int, smell: str) -> OracleLabel | None:
        """The label of a detection, or None if the oracle does not know the file."""
        raters = self.agreement.get((file, line, smell))
        if raters is not None:
            return OracleLabel("TP", round(raters / RATERS, 3))
        # raters who named nothing are not counted, so there is no share to give
        return OracleLabel("FP", None) if file in self.files else None


def read_oracle(path: Path, folder: Path) -> Oracle:
    """Read the labels of an oracle file about the scripts in `folder`.

    Its paths may begin otherwise than the report's: the prefix is found anew.

    Raises:
        DataError: the file cannot be read, or has wrong lines (all are named).
    """
    # all of them first: the prefix is the one that most paths fit
    rows = list(_entries(path))
    scripts = Scripts(folder, find_prefix((row.path for row in rows), folder))
    agreement: dict[Reported, int] = {}
    files: set[str] = set()
    missing: dict[str, None] = {}
    for row in rows:
        file = scripts.relative(row.path)
        if file is None or not scripts.holds(file):
            missing[row.path] = None
            continue
        # also of an entry `none`: raters looked and found nothing, so that what is reported there
        # is FP
        files.add(file)
        if row.smell is not None:
            # an oracle may name the same more than once: the most raters count
            reported = (file, row.line, row.smell)
            agreement[reported] = max(row.raters, agreement.get(reported, 0))
    return Oracle(agreement, frozenset(files), tuple(missing))


@dataclass(frozen=True, slots=True)
class _Entry:
    """Entry of an oracle file; `smell` None says that the file has none."""

    path: str
    line: int
    smell: str | None
    raters: int


def _entries(path: Path) -> Iterator[_Entry]:
    problems: list[str] = []
    for number, fields in _records(path):
        row = _entry(fields)
        if isinstance(row, _Entry):
            yield row
        else:
            problems.append(f"{path}:{number}: {row}")
    # after the last row, so that all wrong ones are named; read_oracle takes all rows or none
    if problems:
        categories = ", ".join(smell.title for smell in SMELLS)
        raise DataError(
            "\n".join(problems), hint=f"a category is {NOTHING}, or one of {categories}"
        )


def _records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and columns of each row."""
    try:
        # as in paths of the file system, bytes that are no UTF-8 stand for themselves
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            # strict: a quote that is never closed takes in every line below, which would else be no
            # error
            reader = csv.reader(file, strict=True)
            header = [name.strip().upper() for name in next(reader, [])]
            if missing := [name for name in COLUMNS if name not in header]:
                raise DataError(
                    f"{path}:1: no column {', '.join(missing)}",
                    hint=f"an oracle has the columns {','.join(COLUMNS)}",
                )
            for row in reader:
                # no fields at all stand for a wrong number of them, which _entry names
                values = row if len(row) == len(header) else []
                yield reader.line_num, dict(zip(header, values, strict=False))
    except OSError as error:
        raise unreadable(path, error) from error
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not CSV: {error}", hint=QUOTED) from error


def _entry(fields: dict[str, str]) -> _Entry | str:
    """The entry of a row, or what is wrong with it."""
    if not fields:
        return "it has more or fewer columns than the header"
    path, line, category, raters = (fields[name].strip() for name in COLUMNS)
    if not path:
        return "PATH is empty"
    if category.lower() == NOTHING:
        return _Entry(path, 0, None, 0)
    smell = smell_of_words(category)
    if smell is None:
        return f"CATEGORY {category!a} is unknown"
    # nine digits are more lines than a file has, and int() takes no thousands of digits
    if not (line.isascii() and line.isdigit() and int(line[:9]) >= 1):
        return f"LINE is {line!a}, not a line number from 1"
    if raters not in [str(number) for number in range(1, RATERS + 1)]:
        return f"AGREEMENT is {raters!a}, not a number of raters from 1 to {RATERS}"
    return _Entry(path, int(line[:9]), smell, int(raters))
