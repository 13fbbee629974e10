"""Manifest: size and sha256 of every file of a directory, by which a gap or a change is known.

Models (final/), kept tokens and checkpoints have one; a checkpoint's also says at which step it was
made, and by how many processes. Every rule about manifests is in this module.

A manifest is not signed: it shows damage, and proves nothing against who can write it anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.checkpoints.permissions import OTHERS_WRITE
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.record_schema import Unreadable, kind_of, write

FILE = "manifest.json"
SCHEMA = 1
CARD = "README.md"
"""The one file of a model that its readers may rewrite: it is about the model, no part of it."""

COPY_WHOLE = "copy final/ whole, with every file in it"
NO_MANIFEST = f"{COPY_WHOLE}; a model of an older version has none, and is to be trained anew"


# no IacfilterError: an older checkpoint takes its place, and nobody has to act on it
class BrokenCheckpoint(Exception):
    """A checkpoint is not what its manifest says; the message says where they differ."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file; size in bytes."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """manifest.json: what a directory holds, by path relative to it."""

    schema: int = SCHEMA
    files: dict[str, Entry]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointManifest(Manifest):
    """A checkpoint's manifest.json: also its optimizer step, and how many processes wrote it."""

    step: int
    processes: int


MANIFEST = kind_of(Manifest, error=TrainingError, hint=COPY_WHOLE, version_hint=NO_MANIFEST)
CHECKPOINT_MANIFEST = kind_of(CheckpointManifest)


def write_manifest(directory: Path) -> None:
    """Write down every file of a directory that nobody reads yet, but its card. Raises OSError."""
    names = (name for name in _names(directory) if name != CARD)
    write(directory / FILE, Manifest(files=_stored(directory, names)))


def write_checkpoint_manifest(directory: Path, step: int, processes: int) -> CheckpointManifest:
    """Bring every file to the disk, and write down what each is. Raises OSError on a full disk."""
    files = _stored(directory, _names(directory))
    made = CheckpointManifest(files=files, step=step, processes=processes)
    # last of all files: where there is a manifest, all that it names has reached the disk
    write(directory / FILE, made)
    # fsync of a file does not store its name: see fsync(2)
    for folder in _folders(directory, files):
        sync_folder(folder)
    return made


def verify(directory: Path) -> None:
    """See that every file of the manifest is there and is what it was; others may be there too.

    Whose files they are does not matter: they are read as data, and a copy may be anybody's.

    Raises:
        TrainingError: a file is missing, or has changed (all are named), or there is no manifest.
        OSError: a file cannot be read, perhaps only now and here.
    """
    problems = [
        f"{directory / name} {problem}"
        for name, entry in _read(directory).files.items()
        if (problem := _difference(directory / name, entry, "trained"))
    ]
    if problems:
        raise TrainingError("\n".join(problems), hint=COPY_WHOLE)


def listed(directory: Path) -> list[str]:
    """Every file that a directory's manifest names, by its path in it.

    Raises:
        TrainingError: it has no manifest, or that cannot be read.
    """
    return list(_read(directory).files)


def verify_checkpoint(directory: Path) -> CheckpointManifest:
    """The manifest of a checkpoint, which holds every file of it, unchanged, and no other.

    Optimizer states are pickles, and loading one runs what it says. So no one but its owner, who
    must be this user, may have been able to write any of the files.

    Raises:
        BrokenCheckpoint: it has no manifest, or files differ from it, or others could write them.
    """
    manifest = read_checkpoint_manifest(directory)
    # closed, unlike a model: an unknown file may be a pickle that loading would pick up
    found = set(_names(directory))
    if missing := sorted(manifest.files.keys() - found):
        raise BrokenCheckpoint(f"{missing[0]} is missing")
    if unknown := sorted(found - manifest.files.keys()):
        raise BrokenCheckpoint(f"{unknown[0]} is not in its manifest")
    # folders too: who may write in one can put another file in the place of a good one
    for path in [*sorted(_folders(directory, found)), *(directory / name for name in found)]:
        _check_owner(path)
    for name, entry in manifest.files.items():
        try:
            problem = _difference(directory / name, entry, "saved")
        except OSError as error:
            raise BrokenCheckpoint(f"{name} cannot be read: {error.strerror}") from error
        if problem:
            raise BrokenCheckpoint(f"{name} {problem}")
    return manifest


def read_checkpoint_manifest(directory: Path) -> CheckpointManifest:
    """What a checkpoint says of itself; its files are not looked at.

    Raises:
        BrokenCheckpoint: it has no manifest, or one that cannot be read.
    """
    try:
        return CHECKPOINT_MANIFEST.parse((directory / FILE).read_bytes())
    except FileNotFoundError:
        raise BrokenCheckpoint(f"it has no {FILE}") from None
    except (OSError, Unreadable) as error:
        raise BrokenCheckpoint(f"its {FILE} cannot be read: {error}") from error


def model_sha256(final: Path) -> str:
    """Identity of a model: the sha256 of its manifest, which has that of every file but the card.

    Raises:
        TrainingError: it has no manifest, or that cannot be read.
    """
    # of the bytes as they are, once they can be read: logs of looks keep this number
    _read(final)
    return sha256_of(final / FILE)


def sync_folder(folder: Path) -> None:
    """Bring a folder's own entries to the disk: names made and renamed in it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(directory: Path) -> Manifest:
    path = directory / FILE
    found = MANIFEST.find(path)
    if found is None:
        raise TrainingError(
            f"{path} does not exist, so nothing says whether the model is whole", hint=NO_MANIFEST
        )
    return found


def _stored(directory: Path, names: Iterable[str]) -> dict[str, Entry]:
    """Entries of these files, each of which is on the disk afterwards."""
    files = {}
    for name in names:
        with (directory / name).open("rb") as file:
            # a manifest that outlives a crash must not speak of files that did not
            os.fsync(file.fileno())
            # by blocks: weights need not fit into memory
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[name] = Entry((directory / name).stat().st_size, digest)
    return files


def _difference(path: Path, entry: Entry, since: str) -> str | None:
    """How a file differs from what it was when it was `since`; None if it does not."""
    # also what is a folder now, or a link to nowhere
    if not path.is_file():
        return "is missing"
    if (size := path.stat().st_size) != entry.size:
        return f"has {size} bytes instead of {entry.size}"
    # last, since it reads all of the file
    if sha256_of(path) != entry.sha256:
        return f"has another sha256 than when it was {since}"
    return None


def _names(directory: Path) -> list[str]:
    """Every file below a directory but its manifest; a link counts as a file."""
    # a link to a folder is no folder here: what lies behind it is not ours to hash or to trust
    paths = (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    names = (str(path.relative_to(directory)) for path in paths)
    return sorted(name for name in names if name != FILE)


def _folders(directory: Path, names: Iterable[str]) -> set[Path]:
    """The folders that hold these files, and the directory itself."""
    return {directory, *((directory / name).parent for name in names)}


def _check_owner(path: Path) -> None:
    # lstat: owner and mode of what a link leads to say nothing of who may turn the link elsewhere
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise BrokenCheckpoint(f"{path.name} is a link")
    if found.st_uid != os.getuid():
        raise BrokenCheckpoint(f"{path.name} belongs to another user")
    if found.st_mode & OTHERS_WRITE:
        raise BrokenCheckpoint(f"others than its owner can write {path.name}")
