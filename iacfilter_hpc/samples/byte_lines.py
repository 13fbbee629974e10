"""Byte lines: a file's lines as bytes, so that none is lost and a long one fills no memory.

A report is not ours: what is kept of it must come out byte for byte, UTF-8 or not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError

MAX_ROW_BYTES = 8 * 1024 * 1024
"""A row holds one line of a script; a file without line ends must not fill the memory."""
BOM = b"\xef\xbb\xbf"
QUOTED = "a field that holds a comma or a quote stands in quotes, where each quote is doubled"
"""What a person may have missed in a CSV file of their own."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line's bytes, with its line end where it has one."""

    content: bytes
    too_long: bool
    bom: bool

    @property
    def ended(self) -> bool:
        """Whether the line has an end; only the last of a file may lack it."""
        return self.content.endswith(b"\n")

    def text(self, newline: str) -> str:
        """The line without its end; bytes that are no UTF-8 stand for themselves."""
        content = self.content.removeprefix(BOM) if self.bom else self.content
        # newline is that of the file's first line, yet the file may mix both
        ending = newline.encode()
        content = content.removesuffix(ending if content.endswith(ending) else b"\n")
        return content.decode("utf-8", "surrogateescape")


def read_lines(path: Path) -> Iterator[tuple[int, Line]]:
    """Number and bytes of each line that the file has when it is opened.

    What is appended meanwhile is not read: a reader would run after a writer, perhaps itself.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            number, left = 0, os.fstat(file.fileno()).st_size
            while content := file.readline(min(MAX_ROW_BYTES, left)):
                number += 1
                rest, left = content, left - len(content)
                # the rest of a long line is read and thrown away
                while not rest.endswith(b"\n") and len(rest) == MAX_ROW_BYTES:
                    rest = file.readline(min(MAX_ROW_BYTES, left))
                    left -= len(rest)
                yield (
                    number,
                    Line(
                        content,
                        too_long=rest is not content,
                        bom=number == 1 and content.startswith(BOM),
                    ),
                )
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DataError:
    """Error of a file that cannot be read, in the system's own words."""
    return DataError(
        f"{path} cannot be read: {error.strerror}",
        hint="see that the path is right, and that this user may read it",
    )


def is_cut_off(path: Path) -> bool:
    """Whether a file does not end with a line end: whatever wrote it may have been stopped.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            # nothing lacks its end in an empty file: a report without findings is one
            if not file.seek(0, os.SEEK_END):
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError as error:
        raise unreadable(path, error) from error
