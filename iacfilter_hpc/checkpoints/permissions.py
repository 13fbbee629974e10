"""Permissions: the modes of the files that training writes.

safetensors writes weights 0600 whatever the umask
(https://github.com/huggingface/safetensors/issues/782).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from iacfilter_hpc.runs.files import current_umask

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
"""Mode bits that let others than the owner write."""


def share(directory: Path) -> None:
    """Give every file under `directory` the mode that the umask asks for."""
    # not folders: mkdir has heeded the umask, and a chmod would drop a set-group-ID bit
    _set_modes((path for path in directory.rglob("*") if path.is_file()), current_umask())


def share_read_only(directory: Path) -> None:
    """Let `directory`, and all under it, be read as the umask says, and written by its owner alone.

    Its folders too: who may write in one can put a file of their own in the place of another.
    """
    # whatever the umask: optimizer states are pickles, and who writes them decides what runs
    _set_modes([directory, *directory.rglob("*")], current_umask() | OTHERS_WRITE)


def _set_modes(paths: Iterable[Path], mask: int) -> None:
    for path in paths:
        # what open and mkdir would have given: no file of these is a program
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
