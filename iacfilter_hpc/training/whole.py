"""final/manifest.json: what a trained model consists of, so that a copy with a gap is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.files import write_json
from iacfilter_hpc.training.manifest import FILE, Entry, sha256_of_file
from iacfilter_hpc.training.wrong import problems_in

SCHEMA = 1
CARD = "README.md"
"""The one file that its readers may rewrite: it is about the model, and no part of it."""

HINT = "copy final/ whole, with every file in it"
NO_MANIFEST = f"{HINT}; a model of an older version has none, and is to be trained anew"


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
    write_json(directory / FILE, {"schema": SCHEMA, "files": files})


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
        raise TrainingError("\n".join(problems), hint=HINT)


def _files(final: Path) -> dict[str, Entry]:
    path = final / FILE
    try:
        fields = json.loads(_bytes(final))
    except ValueError as error:
        raise TrainingError(f"{path} is not JSON", hint=HINT) from error
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise TrainingError(f"{path} is no manifest of schema {SCHEMA}", hint=NO_MANIFEST)
    try:
        return FILES.validate_python(fields.get("files"))
    except ValidationError as error:
        problems = [f"{path}: {problem}" for problem in problems_in(error, "files")]
        raise TrainingError("\n".join(problems), hint=HINT) from error


def _bytes(final: Path) -> bytes:
    path = final / FILE
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path} does not exist, so nothing says whether the model is whole", hint=NO_MANIFEST
        ) from error
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}", hint=HINT) from error


FILES = TypeAdapter(dict[str, Entry])
