"""Process tree: run a command of a job to its end, and leave none of its processes behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from iacfilter_hpc.errors import JobFailed
from iacfilter_hpc.runs.failures import find_failure
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.states import FailureCause

STOP_GRACE_S = 35
"""torchelastic gives its workers 30 s after SIGTERM before it kills them."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Source: https://man7.org/linux/man-pages/man2/prctl.2.html"""


def run_to_end(
    argv: Sequence[str], environment: Mapping[str, str], grace_s: float = STOP_GRACE_S
) -> int:
    """Run a command; its exit code, or minus the number of the signal that ended it.

    What it has left running is asked to stop, and killed after `grace_s` seconds. An exception that
    a signal handler raises here means that it is to end now: everything is killed.
    """
    _adopt_orphans()
    try:
        # a session of its own: Ctrl-C at a terminal reaches this process alone, which decides
        code = subprocess.Popen(argv, env=environment, start_new_session=True).wait()
        _ask_descendants(grace_s)
    finally:
        _kill_descendants()
    return code


def follow_parent(number: signal.Signals) -> None:
    """From now on this process gets a signal when its parent dies, also when that is killed.

    Under proctrack/linuxproc Slurm loses sight of what a killed process leaves behind: it would
    train on beside the next attempt. A child does not inherit the wish (prctl(2)), so that each
    program of a chain has to call this.
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

    # not recursively: what the command left behind are children of this process by now, and each
    # of them ends its own, as torchelastic and data loaders do
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


class CommandFailed(JobFailed):
    """A command ended badly; `cause` and `step` say what is known of it."""

    def __init__(self, message: str, cause: FailureCause, step: int | None, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        self.step = step


def run_command(
    argv: list[str], environment: dict[str, str], layout: RunLayout, attempt: str, log: Path
) -> None:
    """Run a command to its end; `log` is where its standard error goes.

    Raises:
        CommandFailed: it ended with a non-zero exit code or by a signal.
    """
    code = run_to_end(argv, environment)
    if code:
        how = f"exit code {code}" if code > 0 else _signal_name(-code)
        ended = f"{_job(argv)} ended with {how}"
        failure = find_failure(layout, attempt, log)
        hint = f"the whole log is {log}"
        if failure is None:
            raise CommandFailed(ended, FailureCause.KILLED, None, hint=hint)
        raise CommandFailed(f"{failure.message} ({ended})", failure.cause, failure.step, hint=hint)


def _job(argv: list[str]) -> str:
    """The last script of ours in a command line: what a launcher starts, if there is one."""
    return next(Path(word).name for word in reversed(argv) if word.endswith(".py"))


def _signal_name(number: int) -> str:
    named = number in {known.value for known in signal.Signals}  # real-time signals have no name
    return signal.Signals(number).name if named else f"signal {number}"
