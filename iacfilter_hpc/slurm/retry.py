"""Retry: ask a controller again that is away, as in a failover, and no other.

A refusal, an answer that cannot be read and a command that is missing stay what they are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from iacfilter_hpc.errors import SlurmMissing, SlurmUnreachable

AWAY_S = 900
"""How long a controller may be away before it is given up.

Far longer than a backup waits before it takes over (SlurmctldTimeout, 120 s by default).
Source: https://slurm.schedmd.com/slurm.conf.html#OPT_SlurmctldTimeout
"""
ASK_AGAIN_S = 5.0

Answer = TypeVar("Answer")


def retry_while_away(
    ask: Callable[[], Answer], again: Callable[[], Answer] | None = None
) -> Answer:
    """An answer of the controller, also of one that is away for some minutes.

    `again` is asked in place of `ask` from the second time on, where a request that may have been
    carried out must not be made twice.

    Raises:
        SlurmRefused: it says no.
        SlurmUnreachable: it is away for longer, or its command is missing.
    """
    until = time.monotonic() + AWAY_S
    while True:
        try:
            return ask()
        except SlurmMissing:  # a kind of SlurmUnreachable, but no wait brings the command
            raise
        # SlurmUnanswered as well: what may not be asked twice comes with an `again`
        except SlurmUnreachable as error:
            if time.monotonic() > until:
                raise
            said = f"{error.message}; asking again in {ASK_AGAIN_S:.0f} s"
            print(said, file=sys.stderr, flush=True)  # noqa: T201 - the job's log
            time.sleep(ASK_AGAIN_S)
            ask = again or ask
