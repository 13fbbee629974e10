"""The scripts that a report is about: their paths below a folder, and their lines."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MAX_SCRIPT_BYTES = 32 * 1024 * 1024
CACHED = 64


class Unreadable(Exception):
    """A script that cannot be read; the message is the reason, in words."""


@dataclass(frozen=True, slots=True)
class Script:
    """The lines of a file, without line ends; `latin1` says that it is no UTF-8."""

    lines: tuple[str, ...]
    latin1: bool


@dataclass(frozen=True, slots=True)
class Scripts:
    """A folder of scripts. `prefix` is what the report's paths have in the folder's place."""

    folder: Path
    prefix: str = ""
    _cache: OrderedDict[str, Script] = field(default_factory=OrderedDict, repr=False, compare=False)

    def relative(self, path: str) -> str | None:
        """Where a path of the report lies below the folder, or None if it does not.

        The file need not exist. `..` and links that lead out of the folder lead nowhere.
        """
        parts, prefix = PurePosixPath(path).parts, PurePosixPath(self.prefix).parts
        rest = parts[len(prefix) :]
        if parts[: len(prefix)] != prefix or not rest:
            return None
        relative = PurePosixPath(*rest)
        return str(relative) if _is_inside(self.folder, relative) else None

    def lines(self, relative: str) -> tuple[str, ...]:
        """The lines of a script, as GLITCH counts them.

        Raises:
            Unreadable: there is no such file, or it holds no text.
        """
        return self.script(relative).lines

    def script(self, relative: str) -> Script:
        """A script, from a small cache if it was read lately.

        Raises:
            Unreadable: there is no such file, or it holds no text.
        """
        found = self._cache.get(relative)
        if found is None:
            found = self._cache[relative] = _read(self.folder / relative)
            if len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(relative)
        return found


def find_prefix(paths: Iterable[str], folder: Path) -> str:
    """The prefix under which most of a report's paths exist below the folder.

    Of several the shortest, which leaves most of each path to be found; "" if no path exists under
    any. A file is never looked for by its bare name: main.yml is everywhere.
    """
    found: Counter[tuple[str, ...]] = Counter()
    for path in dict.fromkeys(paths):
        parts = PurePosixPath(path).parts
        for length in range(len(parts)):
            relative = PurePosixPath(*parts[length:])
            if _is_inside(folder, relative) and _is_file(folder / relative):
                found[parts[:length]] += 1
    best = max(found, key=lambda prefix: (found[prefix], -len(prefix)), default=())
    return str(PurePosixPath(*best)) if best else ""


def _is_inside(folder: Path, relative: PurePosixPath) -> bool:
    """Whether a path stays below the folder, links followed."""
    if relative.is_absolute() or ".." in relative.parts or "\0" in str(relative):
        return False
    return Path(os.path.realpath(folder / relative)).is_relative_to(os.path.realpath(folder))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # a name that is too long for this file system
        return False


def _read(path: Path) -> Script:
    try:
        if path.is_dir():
            raise Unreadable("it is a directory")
        if not path.is_file():
            raise Unreadable("file is missing" if not path.exists() else "it is no regular file")
        if path.stat().st_size > MAX_SCRIPT_BYTES:
            raise Unreadable(f"file is larger than {MAX_SCRIPT_BYTES // 2**20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"file cannot be read: {error.strerror}") from error
    if b"\0" in content:
        raise Unreadable("not a text file")
    try:
        return Script(_split(content.decode("utf-8-sig")), latin1=False)
    except UnicodeDecodeError:
        return Script(_split(content.decode("latin-1")), latin1=True)


def _split(text: str) -> tuple[str, ...]:
    # str.splitlines would also split at form feeds and U+2028, which no parser of scripts does
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return tuple(lines if lines[-1] else lines[:-1])
