"""Log filters: they keep libraries from filling a job's log with what no reader can act on."""

from __future__ import annotations

import sys
import warnings

from datasets import disable_progress_bars
from transformers.utils.logging import disable_progress_bar

# DeepSpeed and PEFT call names that PyTorch and transformers have renamed: one line a call
RENAMED = (
    r"`torch\.distributed\.(all_gather_into|reduce_scatter)_tensor` is deprecated",
    r"`is_gradient_checkpointing` is deprecated",
)


def filter_logs() -> None:
    """Drop known deprecation warnings of libraries, and progress bars unless a person looks on."""
    for message in RENAMED:
        warnings.filterwarnings("ignore", message=message, category=FutureWarning)
    # a bar overwrites itself on a terminal alone; in a file every state of it stays
    if not sys.stderr.isatty():
        disable_progress_bar()
        disable_progress_bars()
