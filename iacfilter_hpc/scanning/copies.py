"""Copies of scripts that GLITCH reads in place of the repository, under names that harm nothing.

GLITCH hands a Chef recipe's path to a shell (os.popen in glitch/parsers/chef.py), so a file whose
name holds a quote runs what stands behind it, and a commit of a stranger can bring such a file. A
comma in a name breaks GLITCH's rows, which are not quoted, and bytes that are no UTF-8 stop it. So
it reads copies, under the same names but for such characters, which are percent-encoded. As it
reads each script by itself (`--folder-strategy include-all`), its rows are those of the originals.
A copy of chosen scripts is also how it reads but what has changed, and a workflow of GitHub Actions
but once, which is a YAML file like those of Ansible.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from iacfilter_hpc.samples.technologies import TECHNOLOGIES, technology_of

# a percent sign is none of them, so that every one in a copy's name is an encoded character
ODD = re.compile(r"[^\w ./@+=:~-]")
READ = (".yml", ".yaml", ".rb", ".pp", ".tf")
"""Names that GLITCH reads, in this case alone (glitch/tech.py)."""
GIT = ".git"
OF_THE_SCRIPT = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENAMETOOLONG}
"""Errors of one script alone: it may not be read, is gone, or its copy's name is too long."""


@dataclass(frozen=True, slots=True)
class Found:
    """Scripts below a folder by technology, as paths relative to it, and folders that are shut."""

    by_technology: dict[str, list[str]]
    unreadable: tuple[Unread, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A file or folder that was not read, and why."""

    name: str
    why: str


def find_scripts(folder: Path) -> Found:
    """The scripts below a folder, by technology in the table's order, then by name.

    Links are left out, as GLITCH leaves them out: what they lead to is read where it is, or is not
    the repository's.
    """
    by_technology: dict[str, list[str]] = defaultdict(list)
    shut: list[OSError] = []
    for name in sorted(_files(folder, shut.append)):
        if name.endswith(READ) and (technology := technology_of(name)):
            by_technology[technology].append(name)
    unreadable = [Unread(str(error.filename), str(error.strerror)) for error in shut]
    known = [each.name for each in TECHNOLOGIES if each.name in by_technology]
    return Found({name: by_technology[name] for name in known}, tuple(unreadable))


def copy_scripts(folder: Path, names: Iterable[str], into: Path) -> list[Unread]:
    """Copy scripts of a folder under names that GLITCH can be given, and return those that stay."""
    unread = []
    for name in names:
        copy = into / copied_name(name)
        if "\n" in name or "\r" in name:
            unread.append(Unread(name, "its name has a line end, which no row of a report can"))
            continue
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            # its content alone: the copy of a file that nobody may write must be deleted again
            shutil.copyfile(folder / name, copy, follow_symlinks=False)
        except OSError as error:
            if error.errno not in OF_THE_SCRIPT:
                raise
            unread.append(Unread(name, str(error.strerror)))
    return unread


def copied_name(name: str) -> str:
    """The name of a script's copy."""
    return ODD.sub(lambda match: quote(os.fsencode(match[0])), name)


def original_name(copied: bytes) -> bytes:
    """The script that a copy's path, as GLITCH prints it, stands for."""
    return unquote_to_bytes(copied.removeprefix(b"./"))


def _files(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[str]:
    """All regular files below a folder, those of git's own directory left out."""
    for root, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if name != GIT]
        for name in files:
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield str(path.relative_to(folder))
