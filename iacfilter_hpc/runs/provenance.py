"""Provenance of a result: who made it, where, when, with which code, by which command."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata

from iacfilter_hpc import __version__
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import PACKAGE

# not all that is installed: what can change a model's numbers, and what submits it
RECORDED = (
    "submitit torch transformers peft accelerate deepspeed datasets tokenizers safetensors "
    "numpy scikit-learn bitsandbytes flash-attn"
).split()


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made a result, where, when, with which code, and by which command."""

    created_at: str
    user: str
    host: str
    git_commit: str | None
    versions: dict[str, str]
    argv: list[str]


def provenance() -> Provenance:
    """Provenance of what this process makes now."""
    return Provenance(
        created_at=records.now(),
        user=user(),
        host=socket.gethostname(),
        git_commit=_git_commit(),
        versions=_versions(),
        argv=sys.argv,
    )


def user() -> str:
    """The user's name; containers run as users that have none."""
    try:
        return getpass.getuser()
    # KeyError until Python 3.12, OSError since
    except (KeyError, OSError):
        return str(os.getuid())


def _git_commit() -> str | None:
    """The commit of the checkout that this code runs from, `+` when it has changes."""
    checkout = PACKAGE.parent
    # git itself would look further up, and take a project that holds the environment for ours
    if not (checkout / ".git").exists() or shutil.which("git") is None:
        return None
    # --exclude: where a tag is near, describe would print that and not the commit
    described = subprocess.run(
        ["git", "-C", checkout, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or None


def _versions() -> dict[str, str]:
    """The installed version of this package and of each that bears on the result."""
    found = {"iacfilter_hpc": __version__}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # the training packages may be on the compute nodes only
    return found
