"""Atomic files: a reader on a shared file system sees all of one or nothing.

Temporary file, fsync, rename(2). Without the fsync a crash of the machine may leave a new name on
an empty file. Folders are not synced: after a crash the old file may be back, and is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step: temporary file beside it, fsync, os.replace.

    The file is readable as the umask says, not 0600 as temporary files are.
    """
    with replacing(path) as (file,):
        file.write(text.encode())


@contextmanager
def replacing(*paths: Path) -> Iterator[list[IO[bytes]]]:
    """Files to write to, which take the places of `paths` when the block ends well.

    All of them are on disk before the first takes its place; after an error in the block, or on a
    full disk, none does, and nothing is left of them. An error names the place, not the temporary
    file.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_beside(path)) for path in paths]
        yield list(files)
        # two loops: a disk that is full for the last one must not leave the first one replaced
        for file in files:
            file.flush()
            file.raw.store()
        for file in files:
            file.raw.put_in_place()


def write_json(path: Path, document: object) -> None:
    """Replace a JSON file in one step. Raises ValueError for a number that is not finite."""
    # NaN is Python's, not JSON's (RFC 8259): other readers refuse a file that has one
    write_atomically(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def current_umask() -> int:
    """The process's umask; the system only tells it when it is set."""
    # not 0: what another thread creates just now must not be open to everybody
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


class _Temporary(FileIO):
    """A file that stands in for the one in whose place it will be."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _named(path):
            # same folder: a rename is atomic within one file system. The random end keeps patterns
            # such as *_job.json off it, which find hidden files too
            handle, self.temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        super().__init__(handle, "wb")

    def write(self, content: Buffer, /) -> int:
        """What a buffer is emptied into, so that a full disk is named whenever that happens."""
        with _named(self._path):
            return super().write(content) or 0

    def store(self) -> None:
        """On disk, whatever happens to the machine."""
        with _named(self._path):
            os.fsync(self.fileno())

    def put_in_place(self) -> None:
        """Readable as the umask says, not 0600 as temporary files are."""
        with _named(self._path):
            # before the rename: from then on others read it
            os.fchmod(self.fileno(), 0o666 & ~current_umask())
            Path(self.temporary).replace(self._path)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors inside name this file: a person knows it, and not the temporary one."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def _beside(path: Path) -> Iterator[BufferedWriter[_Temporary]]:
    """A temporary file in the directory of `path`, gone at the end unless it was renamed."""
    raw = _Temporary(path)
    file = BufferedWriter(raw)
    try:
        yield file
    finally:
        Path(raw.temporary).unlink(missing_ok=True)
        # what is still in its buffer after an error has no place to go
        with suppress(OSError):
            file.close()


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
