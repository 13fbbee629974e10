"""Manifests: size and sha256 of every file of a checkpoint or of final/, so that a gap is known."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.files import write_json
from iacfilter_hpc.runs.validation_errors import problems_in

FILE = "manifest.json"
SCHEMA = 1
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class BrokenCheckpoint(Exception):
    """A checkpoint is not what its manifest says; the message says where they differ."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a checkpoint; size in bytes."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint holds, by path relative to it, and how many processes wrote it."""

    step: int
    processes: int
    files: dict[str, Entry]
    schema: int = SCHEMA

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())


def write_manifest(directory: Path, step: int, processes: int) -> Manifest:
    """Bring every file to the disk, and write down what each is. Raises OSError on a full disk."""
    files = {name: _stored(directory / name) for name in _names(directory)}
    made = Manifest(step, processes, files)
    write_json(directory / FILE, asdict(made))
    for folder in {directory, *((directory / name).parent for name in files)}:
        sync_folder(folder)
    return made


def verify(directory: Path) -> Manifest:
    """The manifest of a checkpoint, every file of which is what it says.

    Optimizer states are pickles, and loading one runs what it says. So no one but its owner, who
    must be this user, may have been able to write any of the files.

    Raises:
        BrokenCheckpoint: it has no manifest, or files differ from it, or others could write them.
    """
    manifest = _read(directory)
    found = set(_names(directory))
    if missing := sorted(manifest.files.keys() - found):
        raise BrokenCheckpoint(f"{missing[0]} is missing")
    if unknown := sorted(found - manifest.files.keys()):
        raise BrokenCheckpoint(f"{unknown[0]} is not in its manifest")
    for folder in sorted({directory, *((directory / name).parent for name in found)}):
        _check_owner(folder)
    for name, entry in manifest.files.items():
        path = directory / name
        _check_owner(path)
        if (size := path.stat().st_size) != entry.size:
            raise BrokenCheckpoint(f"{name} has {size} bytes instead of {entry.size}")
        try:
            sha256 = sha256_of_file(path)
        except OSError as error:
            raise BrokenCheckpoint(f"{name} cannot be read: {error.strerror}") from error
        if sha256 != entry.sha256:
            raise BrokenCheckpoint(f"{name} has another sha256 than when it was saved")
    return manifest


def sha256_of_file(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring a folder's own entries to the disk: names made and renamed in it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(path: Path) -> Entry:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(path.stat().st_size, digest)


def _names(directory: Path) -> list[str]:
    """Every file below a checkpoint but its manifest; a link counts as a file."""
    paths = (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    names = (str(path.relative_to(directory)) for path in paths)
    return sorted(name for name in names if name != FILE)


def _check_owner(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise BrokenCheckpoint(f"{path.name} is a link")
    if found.st_uid != os.getuid():
        raise BrokenCheckpoint(f"{path.name} belongs to another user")
    if found.st_mode & OTHERS_WRITE:
        raise BrokenCheckpoint(f"others than its owner can write {path.name}")


def _read(directory: Path) -> Manifest:
    try:
        fields = json.loads((directory / FILE).read_bytes())
        files = {name: Entry(**entry) for name, entry in fields.pop("files").items()}
        manifest = Manifest(files=files, **fields)
    except FileNotFoundError:
        raise BrokenCheckpoint(f"it has no {FILE}") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenCheckpoint(f"its {FILE} cannot be read: {error}") from error
    if manifest.schema != SCHEMA:
        raise BrokenCheckpoint(f"its {FILE} is of schema {manifest.schema!r}, not {SCHEMA}")
    return manifest


FINAL_SCHEMA = 1
CARD = "README.md"
"""The one file that its readers may rewrite: it is about the model, and no part of it."""

COPY_WHOLE = "copy final/ whole, with every file in it"
NO_MANIFEST = f"{COPY_WHOLE}; a model of an older version has none, and is to be trained anew"


def write_whole(directory: Path) -> None:
    """Write down every file of a model that nobody reads yet, but its card."""
    files = {
        str(path.relative_to(directory)): {
            "size": path.stat().st_size,
            "sha256": sha256_of_file(path),
        }
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path not in (directory / FILE, directory / CARD)
    }
    write_json(directory / FILE, {"schema": FINAL_SCHEMA, "files": files})


def model_sha256(final: Path) -> str:
    """What stands for a model: the sha256 of its manifest. Files are not read for it.

    Raises:
        TrainingError: it has no manifest, or that cannot be read.
    """
    return hashlib.sha256(_bytes(final)).hexdigest()


def check_whole(final: Path) -> None:
    """See that every file of the manifest is there and is what it was; others may be there too.

    Whose files they are does not matter: they are read as data, and a copy may be anybody's.

    Raises:
        TrainingError: a file is missing, or has changed (all are named).
    """
    problems = []
    for name, entry in _files(final).items():
        path = final / name
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif (size := path.stat().st_size) != entry.size:
            problems.append(f"{path} has {size} bytes instead of {entry.size}")
        elif sha256_of_file(path) != entry.sha256:
            problems.append(f"{path} has another sha256 than when it was trained")
    if problems:
        raise TrainingError("\n".join(problems), hint=COPY_WHOLE)


def _files(final: Path) -> dict[str, Entry]:
    path = final / FILE
    try:
        fields = json.loads(_bytes(final))
    except ValueError as error:
        raise TrainingError(f"{path} is not JSON", hint=COPY_WHOLE) from error
    if not isinstance(fields, dict) or fields.get("schema") != FINAL_SCHEMA:
        raise TrainingError(f"{path} is no manifest of schema {FINAL_SCHEMA}", hint=NO_MANIFEST)
    try:
        return FILES.validate_python(fields.get("files"))
    except ValidationError as error:
        problems = [f"{path}: {problem}" for problem in problems_in(error, "files")]
        raise TrainingError("\n".join(problems), hint=COPY_WHOLE) from error


def _bytes(final: Path) -> bytes:
    path = final / FILE
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path} does not exist, so nothing says whether the model is whole", hint=NO_MANIFEST
        ) from error
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}", hint=COPY_WHOLE) from error


FILES = TypeAdapter(dict[str, Entry])
