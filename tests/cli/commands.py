"""The installed commands, run as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

COMMANDS = (
    "submit",
    "status",
    "logs",
    "cancel",
    "data",
    "evaluate",
    "compare",
    "filter",
    "label",
    "scan",
    "export",
    "calibrate",
    "teach",
)
PROGRAMS = Path(sys.executable).parent
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def module_of(command: str) -> str:
    """The module of an installed command."""
    scripts = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["scripts"]
    return str(scripts[f"iacfilter-{command}"]).partition(":")[0]


def iacfilter(command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The end of `iacfilter-<command>` in this environment plus these variables.

    Whatever a person gets wrong, they see no traceback.
    """
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / f"iacfilter-{command}"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
