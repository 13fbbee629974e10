"""Read decisions that others made: CSV with columns file, line, smell, decision and/or p_tp."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from iacfilter_hpc.detections.fields import LABELS
from iacfilter_hpc.errors import DataError

LINE = re.compile(r"[1-9][0-9]{0,8}")
KEY = ("file", "line", "smell")
ARGMAX = 0.5
HINT = "columns file, line, smell, and decision (TP or FP) or p_tp (0 to 1) or both; others may be"


@dataclass(frozen=True, slots=True)
class Decided:
    """One row: which detection, and how it was decided. `where` is its place in the file."""

    where: str
    file: str
    line: int
    smell: str
    is_tp: bool
    p_tp: float | None


def read_decisions(path: Path) -> list[Decided]:
    """Every row of a CSV file, in its order; without a column decision, TP is p_tp >= 0.5.

    Raises:
        DataError: the file cannot be read, lacks columns, or has wrong rows (all are named).
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    if "\0" in text:
        raise DataError(f"{path} holds NUL characters: it is no CSV file", hint=HINT)
    rows = csv.DictReader(StringIO(text, newline=""), strict=True)
    try:
        return _decided(path, rows)
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: not CSV: {error}", hint=HINT) from error


def _decided(path: Path, rows: csv.DictReader[str]) -> list[Decided]:
    columns = list(rows.fieldnames or [])
    lacking = [name for name in KEY if name not in columns]
    if lacking or not {"decision", "p_tp"} & set(columns):
        raise DataError(f"{path}:1: the columns are {', '.join(columns) or 'none'}", hint=HINT)
    if len(set(columns)) < len(columns):
        raise DataError(f"{path}:1: a column occurs twice: {', '.join(columns)}", hint=HINT)
    found: list[Decided] = []
    problems: list[str] = []
    for row in rows:
        where = f"{path}:{rows.line_num}"
        # csv puts what is beyond the header under None, and None for what is missing
        if None in row or None in row.values():
            problems.append(f"{where}: it has not {len(columns)} columns")
            continue
        wrong = list(_problems(row))
        problems += [f"{where}: {problem}" for problem in wrong]
        if not wrong:
            found.append(_row(where, row))
    if problems:
        raise DataError("\n".join(problems), hint=HINT)
    if not found:
        raise DataError(f"{path} holds no row", hint=HINT)
    return found


def _problems(row: dict[str, str]) -> Iterator[str]:
    """Everything that is wrong with a row, in words."""
    for name in ("file", "smell"):
        if not row[name]:
            yield f"{name} is empty"
    if not LINE.fullmatch(row["line"]):
        yield f"line is {row['line']!r}, not a line number from 1"
    if "decision" in row and row["decision"] not in LABELS:
        yield f"decision is {row['decision']!r}, not TP or FP"
    if "p_tp" in row and _probability(row["p_tp"]) is None:
        yield f"p_tp is {row['p_tp']!r}, not a number from 0 to 1"


def _row(where: str, row: dict[str, str]) -> Decided:
    p_tp = _probability(row["p_tp"]) if "p_tp" in row else None
    is_tp = row["decision"] == "TP" if "decision" in row else p_tp is not None and p_tp >= ARGMAX
    return Decided(where, row["file"], int(row["line"]), row["smell"], is_tp, p_tp)


def _probability(text: str) -> float | None:
    """None if the text is no number from 0 to 1; NaN is in no range."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
