"""Quick exit: end a training process without tearing its interpreter down."""

from __future__ import annotations

import atexit
import os
import sys


class QuickExit:
    """Exit of a process whose work is done; made before anything else registers with atexit.

    Gloo's threads outlive destroy_process_group wherever somebody keeps a group, as DeepSpeed does.
    One that lets go of a tensor while the interpreter is finalized asks for the GIL, is ended for
    it, and takes the process along: SIGABRT, "terminate called without an active exception", after
    all was trained and saved. Source: https://github.com/pytorch/pytorch/issues/190489

    What others register with atexit runs all the same, since it runs last registered first.
    """

    def __init__(self) -> None:
        self._code: int | None = None
        atexit.register(self._leave)

    def leave_with(self, code: int) -> int:
        """The code itself, with which this process ends once its exit functions have run."""
        self._code = code
        return code

    def _leave(self) -> None:
        # an exception ended it: its own way out shows the traceback, and 1 is a failure
        if self._code is None:
            return
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self._code)
