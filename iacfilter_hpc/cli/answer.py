"""Keep stdout for the answer alone, whatever libraries print while they work."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT, STDERR = 1, 2


@contextmanager
def talk_on_stderr() -> Iterator[None]:
    """Inside, what is written to the file descriptor of stdout goes to stderr.

    DeepSpeed logs to stdout as soon as it is imported, and compiled code knows nothing of
    sys.stdout: only the descriptor holds all of them.
    """
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        yield
    finally:
        # what stands in a buffer still belongs to the work
        sys.stdout.flush()
        os.dup2(kept, STDOUT)
        os.close(kept)
