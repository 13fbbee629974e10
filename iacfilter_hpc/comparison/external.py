"""External systems: files of predictions, ours, CSV or labels, whose rows find their samples."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TypeVar

from iacfilter_hpc.comparison.past_evaluations import PastEvaluation, read_past
from iacfilter_hpc.comparison.systems import Member, Protocol, System, SystemKind
from iacfilter_hpc.errors import DataError, UsageError, counted
from iacfilter_hpc.evaluation.admission import ARGMAX
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.evaluation.predictions import read_predictions
from iacfilter_hpc.evaluation.results import METRICS_FILE, PREDICTIONS_FILE
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.record_schema import NotAnObject, json_object
from iacfilter_hpc.samples.sample import LABELS, MAX_LINE_BYTES, Sample, read_samples

Row = TypeVar("Row")


def matched(
    path: Path,
    rows: Iterable[tuple[str, Hashable, Row]],
    data: Labelled,
    key_of: Callable[[Sample], Hashable],
) -> list[Row]:
    """Rows of a file matched to samples: one each, in the samples' order.

    Each of `rows` is its place in `path`, its key, and itself. What the data repeats, the rows
    repeat too.

    Raises:
        DataError: rows of no sample, rows too many, or samples without a row (all are named).
    """
    wanted = Counter(key_of(sample) for sample in data.samples)
    # lists, since a report may have one detection twice, and then each needs a row
    found: dict[Hashable, list[Row]] = defaultdict(list)
    unknown, repeated = [], []
    for where, key, row in rows:
        if key not in wanted:
            unknown.append(f"{where}: {_shown(key)} is no sample of {data.path}")
        elif len(found[key]) == wanted[key]:
            repeated.append(f"{where}: {_shown(key)} occurs before")
        else:
            found[key].append(row)
    # another test set is one problem, not one a row and one a sample
    if not any(found.values()):
        raise DataError(
            f"{path}: none of its rows is of a sample in {data.path}",
            hint="predictions and data must be of the same samples",
        )
    missing = [
        f"{data.path}:{index + 1}: {_shown(key_of(sample))} has no row in {path}"
        for index, sample in enumerate(data.samples)
        if len(found.get(key_of(sample), ())) < wanted[key_of(sample)]
    ]
    if problems := [*unknown, *repeated, *missing]:
        raise DataError("\n".join(problems), hint="every sample needs one row, every row a sample")
    # equal keys cannot be told apart: the first row goes to the first sample
    remaining = {key: iter(rows_of) for key, rows_of in found.items()}
    return [next(remaining[key_of(sample)]) for sample in data.samples]


def _shown(key: Hashable) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else f"the detection {key}"


# int() would take "1_000", " 7" and digits of other scripts
LINE_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
KEY_COLUMNS = ("file", "line", "smell")
# fixed: a threshold chosen on these samples would be fitted to what is reported
CSV_HINT = (
    "columns file, line, smell, and decision (TP or FP) or p_tp (0 to 1) or both; other columns "
    "are ignored"
)


@dataclass(frozen=True, slots=True)
class CsvDecision:
    """CSV row: which detection, and how it was decided. `where` is its place in the file."""

    where: str
    file: str
    line: int
    smell: str
    is_tp: bool
    p_tp: float | None


def read_decisions(path: Path) -> list[CsvDecision]:
    """Decisions of a CSV file, in its order; without a column decision, TP is p_tp >= 0.5.

    Raises:
        DataError: the file cannot be read, lacks columns, or has wrong rows (all are named).
    """
    rows = csv_reader(path, CSV_HINT)
    try:
        return _decided(path, rows)
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: not CSV: {error}", hint=CSV_HINT) from error


def csv_reader(path: Path, hint: str) -> csv.DictReader[str]:
    """Reader of a CSV file's rows, which raises csv.Error where they are none.

    Raises:
        DataError: (with `hint`) the file cannot be read.
    """
    try:
        # spreadsheets put a BOM first, which would become part of the first column's name
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    # csv reads NULs as text since Python 3.11; here they mean UTF-16 or a binary file
    if "\0" in text:
        raise DataError(f"{path} holds NUL characters: it is no CSV file", hint=hint)
    # newline="": csv itself must see the ends of lines that stand in quotes; strict: a stray quote
    # is an error, where csv would guess. Source: https://docs.python.org/3/library/csv.html
    return csv.DictReader(StringIO(text, newline=""), strict=True)


def _decided(path: Path, rows: csv.DictReader[str]) -> list[CsvDecision]:
    columns = list(rows.fieldnames or [])
    lacking = [name for name in KEY_COLUMNS if name not in columns]
    if lacking or not {"decision", "p_tp"} & set(columns):
        raise DataError(f"{path}:1: the columns are {', '.join(columns) or 'none'}", hint=CSV_HINT)
    # DictReader would keep the last of them without a word
    if len(set(columns)) < len(columns):
        raise DataError(f"{path}:1: a column occurs twice: {', '.join(columns)}", hint=CSV_HINT)
    found: list[CsvDecision] = []
    problems: list[str] = []
    for row in rows:
        # line_num counts lines, not rows: a name in quotes may hold line ends
        where = f"{path}:{rows.line_num}"
        # csv puts what is beyond the header under None, and None for what is missing
        if None in row or None in row.values():
            problems.append(f"{where}: it does not have {len(columns)} columns")
            continue
        wrong = list(_problems(row))
        problems += [f"{where}: {problem}" for problem in wrong]
        if not wrong:
            found.append(_row(where, row))
    if problems:
        raise DataError("\n".join(problems), hint=CSV_HINT)
    if not found:
        raise DataError(f"{path} holds no row", hint=CSV_HINT)
    return found


def _problems(row: dict[str, str]) -> Iterator[str]:
    """Everything that is wrong with a row, in words."""
    for name in ("file", "smell"):
        if not row[name]:
            yield f"{name} is empty"
    if not LINE_NUMBER.fullmatch(row["line"]):
        yield f"line is {row['line']!r}, not a line number from 1"
    if "decision" in row and row["decision"] not in LABELS:
        yield f"decision is {row['decision']!r}, not TP or FP"
    if "p_tp" in row and _probability(row["p_tp"]) is None:
        yield f"p_tp is {row['p_tp']!r}, not a number from 0 to 1"


def _row(where: str, row: dict[str, str]) -> CsvDecision:
    p_tp = _probability(row["p_tp"]) if "p_tp" in row else None
    # a decision beats its p_tp: only its maker knows the threshold; p_tp still ranks
    is_tp = row["decision"] == "TP" if "decision" in row else p_tp is not None and p_tp >= ARGMAX
    return CsvDecision(where, row["file"], int(row["line"]), row["smell"], is_tp, p_tp)


def _probability(text: str) -> float | None:
    """None if the text is no number from 0 to 1; NaN is in no range."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


JSON_STARTS_WITH = b"{"
METRICS_HINT = "iacfilter-evaluate writes it and predictions.jsonl anew"


@dataclass(frozen=True, slots=True)
class PredictionsFile:
    """File of predictions, and what the system is to be called."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Read:
    member: Member
    protocol: Protocol


def read_systems(files: Sequence[PredictionsFile], data: Labelled) -> list[System]:
    """Systems of files, one a name, in the order given; files of one name are repeated runs of it.

    Raises:
        DataError: a file cannot be read, has wrong rows, or is not of the samples in `data`.
        UsageError: files of one name came about in different ways.
    """
    by_name: dict[str, list[_Read]] = defaultdict(list)
    problems = []
    for file in files:
        try:
            by_name[file.name].append(_read(file, data))
        except DataError as error:
            problems.append(error)
    if problems:
        raise DataError("\n".join(e.message for e in problems), hint=problems[0].hint)
    return [_system(name, found) for name, found in by_name.items()]


def _system(name: str, found: Sequence[_Read]) -> System:
    protocols = sorted({each.protocol for each in found})
    if len(protocols) > 1:
        raise UsageError(
            f"--predictions {name}: its files are {' and '.join(protocols)}",
            hint="files of one name are repeated runs of one system; give others another name",
        )
    return System(name, SystemKind.PREDICTIONS, protocols[0], tuple(each.member for each in found))


def _read(file: PredictionsFile, data: Labelled) -> _Read:
    try:
        with file.path.open("rb") as opened:
            first_byte = opened.read(1)
    except OSError as error:
        raise DataError(f"{file.path} cannot be read: {error.strerror}") from error
    if not first_byte:
        raise DataError(f"{file.path} is empty")
    # by content: people name files as they like, and no header of a CSV starts with a brace
    if first_byte != JSON_STARTS_WITH:
        return _csv(file, data)
    return _labels(file, data) if _holds_samples(file.path) else _ours(file, data)


def _holds_samples(path: Path) -> bool:
    """Whether the first line is a sample: iacfilter-teach writes such files."""
    with path.open("rb") as opened, suppress(NotAnObject):
        return "with_prompt" in json_object(opened.readline(MAX_LINE_BYTES))
    return False


def _labels(file: PredictionsFile, data: Labelled) -> _Read:
    """Decisions that are the labels of a file of samples, such as a teacher's."""
    found = read_samples(file.path, unlabelled=True)
    places = ((f"{file.path}:{number}", row) for number, row in enumerate(found, start=1))
    rows = matched(file.path, [(w, r.key, r) for w, r in places], data, lambda sample: sample.key)
    lacking = sum(row.label is None for row in rows)
    unjudged = counted(lacking, "sample has", "samples have")
    return _Read(
        Member(
            name=file.name,
            # a filter keeps what nobody has judged
            decided=tuple(row.label != "FP" for row in rows),
            p_tp=_all_known([_p_tp(row) for row in rows]),
            threshold=None,
            threshold_origin="labels as the file has them",
            source=str(file.path),
            warnings=(f"{unjudged} no label in {file.path}, and count as kept",) if lacking else (),
        ),
        Protocol.EXTERNAL,
    )


def _p_tp(row: Sample) -> float | None:
    """The share of votes for TP, as far as a label's confidence tells."""
    if row.label is None or row.confidence is None:
        return None
    return row.confidence if row.label == "TP" else 1 - row.confidence


def _ours(file: PredictionsFile, data: Labelled) -> _Read:
    found = read_predictions(file.path)
    rows = matched(
        file.path,
        [(f"{file.path}:{row.index + 1}", row.key, row) for row in found],
        data,
        # not place and smell alone: the key holds the line's content, so an edited script shows
        lambda sample: sample.key,
    )
    # a label that was corrected since makes this another test set, and scores of no one set
    wrong = [
        f"{file.path}:{row.index + 1}: label is {row.label}, and {sample.label} in {data.path}"
        for row, sample in zip(rows, data.samples, strict=True)
        if row.label != sample.label
    ]
    if wrong:
        raise DataError("\n".join(wrong), hint="both must be of the same labelled samples")
    past, warnings = _past(file, data)
    # a cross-fit has one a fold
    thresholds = {row.threshold for row in rows}
    return _Read(
        Member(
            name=file.name,
            decided=tuple(row.decision == "TP" for row in rows),
            p_tp=_all_known([row.p_tp for row in rows]),
            threshold=thresholds.pop() if len(thresholds) == 1 else None,
            threshold_origin=_origin(past),
            source=str(file.path),
            temperature=past.temperature if past else None,
            fold_seed=past.cross_fit.seed if past and past.cross_fit else None,
            warnings=warnings,
        ),
        _protocol(past),
    )


def _past(file: PredictionsFile, data: Labelled) -> tuple[PastEvaluation | None, tuple[str, ...]]:
    """What metrics.json beside a predictions.jsonl says of it, and what is to be known of that.

    None where the two do not belong together: then nothing is known of how it came about.
    """
    folder = file.path.parent
    # under another name it is a copy, and a metrics.json beside it may be of anything
    if file.path.name != PREDICTIONS_FILE or not (folder / METRICS_FILE).is_file():
        return None, ()
    past = read_past(folder, METRICS_HINT)
    # no error: the decisions stand, only their protocol is unknown
    if past.sha256 != data.sha256:
        problem = f"is about data with the sha256 {past.sha256[:8]}, not about these"
    elif past.predictions_sha256 != sha256_of(file.path):
        problem = f"is not about {file.path} as it is now"
    else:
        return past, past.warnings
    return None, (
        f"{folder / METRICS_FILE} {problem}, so how these decisions came about is not known",
    )


def _csv(file: PredictionsFile, data: Labelled) -> _Read:
    found = read_decisions(file.path)
    rows = matched(
        file.path,
        [(row.where, (row.file, row.line, row.smell), row) for row in found],
        data,
        # a CSV lacks the lines' content, which Sample.key is made of too
        lambda sample: (sample.file, sample.line, sample.smell),
    )
    # with p_tp and decisions alike a threshold of 0.5 is known, whoever made the file
    follows = all(row.p_tp is not None and row.is_tp == (row.p_tp >= ARGMAX) for row in rows)
    return _Read(
        Member(
            name=file.name,
            decided=tuple(row.is_tp for row in rows),
            p_tp=_all_known([row.p_tp for row in rows]),
            threshold=ARGMAX if follows else None,
            threshold_origin="TP if p_tp >= 0.5" if follows else "decisions as the file has them",
            source=str(file.path),
        ),
        Protocol.EXTERNAL,
    )


def _all_known(p_tp: Sequence[float | None]) -> tuple[float, ...] | None:
    # a curve over those that have one would be of other samples than the next system's
    known = tuple(p for p in p_tp if p is not None)
    return known if len(known) == len(p_tp) else None


def _protocol(past: PastEvaluation | None) -> Protocol:
    if past is None:
        return Protocol.EXTERNAL
    if past.cross_fit:
        return Protocol.CROSS_FIT
    return Protocol.SEEN if past.is_seen else Protocol.HELD_OUT


def _origin(past: PastEvaluation | None) -> str:
    if past is None:
        return "as the file has it"
    if past.cross_fit:
        return "chosen in each fold on the other folds"
    return f"{past.threshold_mode}, as its {METRICS_FILE} says"
