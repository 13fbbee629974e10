"""The installed commands, run as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMANDS = ("submit", "status", "logs", "cancel", "data", "evaluate", "compare", "filter", "export")
PROGRAMS = Path(sys.executable).parent


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
