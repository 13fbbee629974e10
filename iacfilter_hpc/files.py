"""Write files so that a reader on a shared file system sees all of one or nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO


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
    full disk, none does, and nothing is left of them.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_beside(path)) for path in paths]
        yield files
        for file, path in zip(files, paths, strict=True):
            _store(file, path)
        for file, path in zip(files, paths, strict=True):
            Path(file.name).chmod(0o666 & ~current_umask())
            Path(file.name).replace(path)


def write_json(path: Path, document: object) -> None:
    """Replace a JSON file in one step."""
    write_atomically(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def current_umask() -> int:
    """The process's umask; the system only tells it when it is set."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file in the directory of `path`, gone at the end unless it was renamed."""
    file = _made_beside(path)
    try:
        yield file
    finally:
        Path(file.name).unlink(missing_ok=True)
        # what is still in its buffer after an error has no place to go
        with suppress(OSError):
            file.close()


def _store(file: IO[bytes], path: Path) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)
        raise


def _made_beside(path: Path) -> IO[bytes]:
    try:
        return tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)
    except OSError as error:
        # a person knows the file's name, not the temporary one
        error.filename = str(path)
        raise
