"""Answers from a list: a CSV of file, line, smell, decision and note, in a person's place.

    file,line,smell,decision,note
    roles/db/tasks/main.yml,9,,FP,the vault's placeholder
    roles/db/tasks/main.yml,12,use_of_http,TP,

Files are below the repository's root. An answer is for all that GLITCH says of a smell in a line;
without a smell a line stands for the one smell there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples.byte_lines import QUOTED, unreadable
from iacfilter_hpc.samples.hashes import same_file, same_smell
from iacfilter_hpc.verdicts.questions import Question
from iacfilter_hpc.verdicts.verdict import Decision

COLUMNS = ["file", "line", "smell", "decision", "note"]
DECISIONS = {
    **{each.value.lower(): each for each in Decision},
    "t": Decision.TP,
    "f": Decision.FP,
    "u": Decision.UNSURE,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a question, with a note or without."""

    question: Question
    decision: Decision
    note: str | None


def read_answers(path: Path, questions: Sequence[Question]) -> list[Answer]:
    """The answers of a list, each to one of the questions.

    Raises:
        DataError: it cannot be read, or a line answers no question; each is named.
    """
    at: dict[tuple[str, str], list[Question]] = {}
    for each in questions:
        at.setdefault((each.place.file, str(each.place.line)), []).append(each)
    answers: list[Answer] = []
    problems: list[str] = []
    for number, row in _rows(path):
        made = _answers(row, at)
        if isinstance(made, str):
            problems.append(f"{path}:{number}: {made}")
        else:
            answers += made
    if problems:
        raise DataError("\n".join(problems), hint="no answer was kept: mend the list")
    return answers


def _rows(path: Path) -> Iterator[tuple[int, dict[str | None, str | None]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows: csv.DictReader[str] = csv.DictReader(file, strict=True)
            if rows.fieldnames != COLUMNS:
                raise DataError(f"{path}:1: the columns are not {','.join(COLUMNS)}", hint=QUOTED)
            for row in rows:
                yield rows.line_num, row
    except OSError as error:
        raise unreadable(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV of UTF-8: {error}", hint=QUOTED) from error


def _answers(
    row: Mapping[str | None, str | None], at: Mapping[tuple[str, str], Sequence[Question]]
) -> list[Answer] | str:
    """The answers of a row, or what is wrong with it."""
    file, line, smell, said, note = (row.get(name) for name in COLUMNS)
    # csv puts what is beyond the header under None, and None for what is missing
    if None in row or file is None or line is None or smell is None or said is None or note is None:
        return f"it does not have {len(COLUMNS)} columns"
    decision = DECISIONS.get(said.strip().lower())
    if decision is None:
        return f"decision is {said!a}, not TP, FP or unsure"
    there = at.get((same_file(file), line.strip()), ())
    found = [each for each in there if not smell or each.place.smell == same_smell(smell)]
    if not found:
        return f"{file!a} has no finding in line {line!a}{f' of {smell!a}' if smell else ''}"
    if len(smells := {each.place.smell for each in found}) > 1:
        return f"line {line} has findings of {', '.join(sorted(smells))}: name one"
    return [Answer(each, decision, note.strip() or None) for each in found]
