"""Ask a controller that may be away for some minutes, as in a failover, and tell away from no."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from iacfilter_hpc.errors import SlurmUnreachable

AWAY = re.compile(
    r"contact slurm controller|timed out|no answer in|connection refused|communication|"
    r"standby mode|zero bytes were transmitted|unexpected message|unable to connect|"
    r"temporarily|try again",
    re.IGNORECASE,
)
"""What Slurm's programs say of it. Source: src/common/slurm_errno.c"""
AWAY_S = 900
"""How long a controller may be away before it is given up."""
ASK_AGAIN_S = 5.0

Answer = TypeVar("Answer")


def is_away(error: SlurmUnreachable) -> bool:
    """Whether the controller did not answer, rather than say no."""
    return AWAY.search(error.message) is not None


def patiently(ask: Callable[[], Answer]) -> Answer:
    """An answer of the controller, also of one that is away for some minutes.

    Raises:
        SlurmUnreachable: it says no, or is away for longer.
    """
    until = time.monotonic() + AWAY_S
    while True:
        try:
            return ask()
        except SlurmUnreachable as error:
            if not is_away(error) or time.monotonic() > until:
                raise
            said = f"{error.message}; asking again in {ASK_AGAIN_S:.0f} s"
            print(said, file=sys.stderr, flush=True)  # noqa: T201 - the job's log
            time.sleep(ASK_AGAIN_S)
