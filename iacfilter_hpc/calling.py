"""Run one command of a job to its end, and say how it failed."""

from __future__ import annotations

import signal
from pathlib import Path

from iacfilter_hpc.errors import JobFailed
from iacfilter_hpc.failures import find_failure
from iacfilter_hpc.family import run_to_end
from iacfilter_hpc.layout import RunLayout


class CommandFailed(JobFailed):
    """A command ended badly; `cause` and `step` say what is known of it."""

    def __init__(self, message: str, cause: str, step: int | None, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        self.step = step


def call(
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
            raise CommandFailed(ended, "killed", None, hint=hint)
        raise CommandFailed(f"{failure.message} ({ended})", failure.cause, failure.step, hint=hint)


def _job(argv: list[str]) -> str:
    """The last script of ours in a command line: what a launcher starts, if there is one."""
    return next(Path(word).name for word in reversed(argv) if word.endswith(".py"))


def _signal_name(number: int) -> str:
    named = number in {known.value for known in signal.Signals}  # real-time signals have no name
    return signal.Signals(number).name if named else f"signal {number}"
