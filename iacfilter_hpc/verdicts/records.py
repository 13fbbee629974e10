"""Files of findings and verdicts: one JSON object a line, read strictly, only appended to.

A line that cannot be read is named with its number and the file refused: to pass over it could
bring back an alarm, or hide one. Git merges such files by taking the lines of both branches, where
`.gitattributes` says so; the first verdict in .iacfilter puts that beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from iacfilter_hpc.errors import DataError, counted
from iacfilter_hpc.runs.record_schema import OtherSchema, RecordKind, Unreadable
from iacfilter_hpc.samples.byte_lines import MAX_ROW_BYTES, unreadable
from iacfilter_hpc.verdicts.verdict import Remembered, Verdict, line_of, problems_of

SHOWN = 10
FOLDER = ".iacfilter"
ATTRIBUTES = ".gitattributes"
CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")
REPAIR = "mend or remove these lines; the others are as they were"


def read_records(path: Path, kind: RecordKind[Remembered]) -> list[Remembered]:
    """Every record of a file, in its order.

    Raises:
        DataError: the file cannot be read, or has lines that are no such records; each is named.
    """
    found: list[Remembered] = []
    problems: list[str] = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = _record(line, kind)
        except Unreadable as error:
            problems.append(f"{path}:{number}: {error}")
        else:
            found.append(record)
    if problems:
        more = len(problems) - SHOWN
        rest = [f"{path}: {counted(more, 'further line')} alike"] if more > 0 else []
        raise DataError("\n".join([*problems[:SHOWN], *rest]), hint=REPAIR)
    return found


def append(path: Path, verdict: Verdict) -> None:
    """Add a verdict, on disk when this returns. Raises OSError."""
    is_new = not path.exists()
    if is_new:
        _prepare(path)
    # O_APPEND and one write: two people on one machine may label at once
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        _write_whole(handle, f"{_missing_end(handle)}{line_of(verdict)}".encode())
        os.fsync(handle)
    except OSError as error:
        # os.write names no file, and "No space left on device" alone helps nobody
        error.filename = str(path)
        raise
    finally:
        os.close(handle)
    if is_new:
        # the name of a new file as well, and that of its folder
        _sync_folder(path.parent)
        _sync_folder(path.parent.parent)


def _lines(path: Path) -> Iterable[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except OSError as error:
        raise unreadable(path, error) from error


def _record(line: bytes, kind: RecordKind[Remembered]) -> Remembered:
    if len(line) > MAX_ROW_BYTES:
        raise Unreadable(f"longer than {MAX_ROW_BYTES // 2**20} MiB")
    if line.startswith(CONFLICT):
        raise Unreadable("a mark of a merge that was not ended: keep the lines of both sides")
    try:
        found = kind.parse(line)
    except OtherSchema as error:
        newer = ", a newer iacfilter-hpc wrote it" if error.is_newer else ""
        raise Unreadable(f"{error}{newer}") from error
    if problems := problems_of(found):
        raise Unreadable(*problems)
    return found


def _prepare(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    attributes = path.with_name(ATTRIBUTES)
    # only in a folder of its own; where a person has one already, they know what it says
    if path.parent.name == FOLDER and not attributes.exists():
        attributes.write_text(f"{path.name} merge=union\n", encoding="utf-8")


def _missing_end(handle: int) -> str:
    """What ends the last line, if an editor has left it without its end."""
    size = os.fstat(handle).st_size
    return "" if not size or os.pread(handle, 1, size - 1) == b"\n" else "\n"


def _write_whole(handle: int, content: bytes) -> None:
    """Write all of it, or leave the file as it was."""
    before, written = os.fstat(handle).st_size, 0
    try:
        while written < len(content):
            written += os.write(handle, content[written:])
    except OSError:
        # a full disk takes a part: half a line would make the file unreadable. What another
        # process has added behind it stays
        if os.fstat(handle).st_size == before + written:
            os.ftruncate(handle, before)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
