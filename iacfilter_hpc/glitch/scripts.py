"""Scripts that a report is about: their paths below a folder, and their lines."""

from __future__ import annotations

import os
import sys
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath

from iacfilter_hpc.glitch.reasons import Cause, Reason

MAX_SCRIPT_BYTES = 32 * 1024 * 1024
# GLITCH reports file after file, so the last few are enough
CACHED = 64
CACHED_BYTES = 64 * 1024 * 1024
"""Of all cached scripts, beyond the newest: 64 large ones would be gigabytes."""


class UnreadableScript(Exception):
    """A script that cannot be read."""

    def __init__(self, text: str, cause: Cause = Cause.UNREADABLE) -> None:
        super().__init__(text)
        self.reason = Reason(cause, text)


@dataclass(frozen=True, slots=True)
class Script:
    """The lines of a file, without line ends; `latin1` says that it is no UTF-8."""

    lines: tuple[str, ...]
    latin1: bool

    @property
    def size(self) -> int:
        """Bytes of memory, nearly."""
        return sum(map(sys.getsizeof, self.lines))


@dataclass(frozen=True, slots=True)
class Scripts:
    """A folder of scripts. `prefix` is what the report's paths have in the folder's place."""

    folder: Path
    prefix: str = ""
    # by lambda, since the class stands below
    _cache: _Cache = field(default_factory=lambda: _Cache(), repr=False, compare=False)
    _latin1: set[str] = field(default_factory=set, repr=False, compare=False)

    def relative(self, path: str) -> str | None:
        """Where a path of the report lies below the folder, or None if it does not.

        The file need not exist. `..` and links that lead out of the folder lead nowhere.
        """
        parts, prefix = PurePosixPath(path).parts, PurePosixPath(self.prefix).parts
        rest = parts[len(prefix) :]
        if parts[: len(prefix)] != prefix or not rest:
            return None
        relative = PurePosixPath(*rest)
        # a report is not trusted: its paths must not copy /etc/shadow into samples and logs
        return str(relative) if _is_inside(self.folder, relative) else None

    def lines(self, relative: str) -> tuple[str, ...]:
        """The lines of a script, as GLITCH counts them.

        Raises:
            UnreadableScript: there is no such file, or it holds no text.
        """
        return self.script(relative).lines

    def script(self, relative: str) -> Script:
        """A script, from a small cache if it was read lately.

        Raises:
            UnreadableScript: there is no such file, or it holds no text.
        """
        found = self._cache.get(relative)
        if found is None:
            found = _read(self.folder / relative)
            self._cache.put(relative, found)
            if found.latin1:
                self._latin1.add(relative)
        return found

    def holds(self, relative: str) -> bool:
        """Whether there is such a file."""
        return _is_file(self.folder / relative)

    @property
    def latin1(self) -> tuple[str, ...]:
        """The scripts read so far that are no UTF-8."""
        return tuple(sorted(self._latin1))


@dataclass(slots=True)
class _Cache:
    """The scripts used last, as many as fit."""

    _scripts: OrderedDict[str, tuple[Script, int]] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def get(self, name: str) -> Script | None:
        if name not in self._scripts:
            return None
        self._scripts.move_to_end(name)
        return self._scripts[name][0]

    def put(self, name: str, script: Script) -> None:
        size = script.size
        self._scripts[name] = script, size
        self._bytes += size
        # the newest always stays: it is about to be used, however large
        while len(self._scripts) > 1 and (
            len(self._scripts) > CACHED or self._bytes > CACHED_BYTES
        ):
            _, (_, size) = self._scripts.popitem(last=False)
            self._bytes -= size


def find_prefix(paths: Iterable[str], folder: Path) -> str:
    """The prefix under which most of a report's paths exist below the folder.

    Of several the shortest, which leaves most of each path to be found; "" if no path exists under
    any. A bare file name proves nothing, since main.yml is everywhere: a prefix that leaves no more
    of any path is one only if all paths of the report lie below it.
    """
    every = list(dict.fromkeys(PurePosixPath(path).parts for path in paths))
    found: Counter[tuple[str, ...]] = Counter()
    proven = {(), _shared(every)}
    for parts in every:
        for length in range(len(parts)):
            relative = PurePosixPath(*parts[length:])
            if _is_inside(folder, relative) and _is_file(folder / relative):
                found[parts[:length]] += 1
                if len(relative.parts) > 1:
                    proven.add(parts[:length])
    for prefix in found.keys() - proven:
        del found[prefix]
    # of as many files the shortest prefix, so that more of each path is matched
    best = max(found, key=lambda prefix: (found[prefix], -len(prefix)), default=())
    return str(PurePosixPath(*best)) if best else ""


def _shared(paths: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The directory that all of these paths have in common, () if there is none."""
    folders = [path[:-1] for path in paths]
    first, last = min(folders, default=()), max(folders, default=())
    same = zip(first, last, strict=False)
    return first[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], same))]


def _is_inside(folder: Path, relative: PurePosixPath) -> bool:
    """Whether a path stays below the folder, links followed."""
    if relative.is_absolute() or ".." in relative.parts or "\0" in str(relative):
        return False
    # both sides: the folder may be a link itself
    return Path(os.path.realpath(folder / relative)).is_relative_to(os.path.realpath(folder))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # a name that is too long for this file system
        return False


def _read(path: Path) -> Script:
    try:
        # one kind after the other, as each has its own reason; reading a pipe would wait for ever
        if path.is_dir():
            raise UnreadableScript("it is a directory")
        if not path.exists():
            raise UnreadableScript("file is missing", Cause.MISSING)
        if not path.is_file():
            raise UnreadableScript("it is no regular file")
        if path.stat().st_size > MAX_SCRIPT_BYTES:
            raise UnreadableScript(f"file is larger than {MAX_SCRIPT_BYTES // 2**20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableScript(f"file cannot be read: {error.strerror}") from error
    if b"\0" in content:
        raise UnreadableScript("not a text file")
    try:
        # without the byte order mark, which would stand in the first line
        return Script(_split(content.decode("utf-8-sig")), latin1=False)
    except UnicodeDecodeError:
        # every byte is a character of Latin-1, so lines are counted right and ASCII is itself
        return Script(_split(content.decode("latin-1")), latin1=True)


def _split(text: str) -> tuple[str, ...]:
    # str.splitlines would also split at form feeds and U+2028, which no parser of scripts does
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return tuple(lines if lines[-1] else lines[:-1])
