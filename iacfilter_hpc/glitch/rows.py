"""Rows of a report with the place of their bytes, so that each can be given back as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.report import BadRow, Detection, GlitchReport
from iacfilter_hpc.samples.byte_lines import BOM, unreadable

PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Span:
    """Span of a line in its file, in bytes; `size` is without `ending`, which may be empty."""

    start: int
    size: int
    ending: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a report, and its bytes' place in the file."""

    found: Detection | BadRow
    span: Span

    @property
    def is_blank(self) -> bool:
        """Whether the line holds nothing: no detection, and nothing to judge."""
        return isinstance(self.found, BadRow) and self.found.is_blank


def read_rows(report: GlitchReport) -> Iterator[Row]:
    """Every row in its order; memory does not grow with the file, nor with one long line.

    Raises:
        DataError: the file cannot be read, or something wrote to it meanwhile.
    """
    # two readers side by side: one has text and cuts long rows, the other has places and keeps none
    spans = _spans(report.path)
    if report.header is not None:
        next(spans, None)
    for found, span in zip_longest(report.rows(), spans):
        # two readings of one file have as many lines, unless it grew or shrank between them
        if found is None or span is None:
            raise _changed(report.path)
        yield Row(found, span)


def header_span(report: GlitchReport) -> Span:
    """The place of a report's first line.

    Raises:
        DataError: the file can no longer be read.
    """
    return next(_spans(report.path), Span(0, 0, b""))


def _spans(path: Path) -> Iterator[Span]:
    try:
        with path.open("rb") as file:
            # only up to the size at opening: rows appended meanwhile may be our own output
            before = os.fstat(file.fileno())
            start, end = 0, before.st_size
            # a piece at a time, so that a line of gigabytes needs no memory
            while piece := file.readline(min(PIECE, end - start)):
                size = len(piece)
                skipped = len(BOM) if start == 0 and piece.startswith(BOM) else 0
                # of a long line \r and \n may come in two pieces
                tail = piece[-2:]
                while not tail.endswith(b"\n") and (
                    piece := file.readline(min(PIECE, end - start - size))
                ):
                    size += len(piece)
                    tail = (tail + piece)[-2:]
                ending = b"\r\n" if tail == b"\r\n" else tail[-1:] if tail[-1:] == b"\n" else b""
                yield Span(start + skipped, size - skipped - len(ending), ending)
                start += size
            after = os.fstat(file.fileno())
            # checked at the end: what GLITCH has added meanwhile would be missing from the outputs
            read = (start, before.st_mtime_ns)
            if read != (end, after.st_mtime_ns) or after.st_size != end:
                raise _changed(path)
    except OSError as error:
        raise unreadable(path, error) from error


def _changed(path: Path) -> DataError:
    return DataError(
        f"{path} changed while it was read", hint="start again when GLITCH has written all of it"
    )
