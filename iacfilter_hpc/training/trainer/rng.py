"""RNG state: a block that leaves the random generators as if it had not been."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def preserved_rng_state() -> Iterator[None]:
    """Preserve the random state: Python, numpy and torch draw on as if the block had not been."""
    python, array = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():  # CPU and every GPU, restored when it ends
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)
