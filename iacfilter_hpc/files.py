"""Write files so that a reader on a shared file system sees all of one or nothing."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step: temporary file beside it, fsync, os.replace.

    The file is readable as the umask says, not 0600 as temporary files are.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~current_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, document: object) -> None:
    """Replace a JSON file in one step."""
    write_atomically(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def current_umask() -> int:
    """The process's umask; the system only tells it when it is set."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
