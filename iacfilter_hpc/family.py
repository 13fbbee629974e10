"""Run a command to its end, and leave none of its processes behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

STOP_GRACE_S = 35
"""torchelastic gives its workers 30 s after SIGTERM before it kills them."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Source: https://man7.org/linux/man-pages/man2/prctl.2.html"""


def run_to_end(
    argv: Sequence[str], environment: Mapping[str, str], grace_s: float = STOP_GRACE_S
) -> int:
    """The command's exit code, or minus the number of the signal that ended it.

    What it has left running is asked to stop, and killed after `grace_s` seconds. An exception that
    a signal handler raises here means that it is to end now: everything is killed.
    """
    _adopt_orphans()
    try:
        code = subprocess.Popen(argv, env=environment, start_new_session=True).wait()
        _ask_descendants(grace_s)
    finally:
        _kill_descendants()
    return code


def follow_parent(number: signal.Signals) -> None:
    """From now on this process gets a signal when its parent dies, also when that is killed.

    Under proctrack/linuxproc Slurm loses sight of what a killed process leaves behind: it would
    train on beside the next attempt.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it died just before
        os.kill(os.getpid(), number)


def _adopt_orphans() -> None:
    """Become the parent of descendants whose parent dies, so that none is out of reach.

    Elastic workers lead sessions of their own: no process group holds them all, and a launcher
    that is killed leaves them to init.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _ask_descendants(grace_s: float) -> None:
    import psutil

    children = psutil.Process().children()
    for child in children:
        child.terminate()
    psutil.wait_procs(children, timeout=grace_s)


def _kill_descendants() -> None:
    import psutil

    here = psutil.Process()
    # killing a parent hands us its children: until there are none
    while left := here.children(recursive=True):
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=1)
