"""Permissions: let a group read what training writes."""

from __future__ import annotations

from pathlib import Path

from iacfilter_hpc.runs.files import current_umask


def share(directory: Path) -> None:
    """Give every file under `directory` the mode that the umask asks for.

    safetensors writes weights 0600 whatever the umask
    (https://github.com/huggingface/safetensors/issues/782).
    """
    mode = 0o666 & ~current_umask()
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(mode)
