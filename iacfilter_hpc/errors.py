"""The exception tree; every error can carry a hint.

IacfilterError            exit code 1
+ UsageError              exit code 2: a flag or a combination of flags
+ ConfigError             exit code 2: every wrong setting of a configuration, all at once
+ DataError               exit code 1: every wrong line of a data file, all at once
+ RunNotFound             exit code 2: no such run
+ SubmissionError         exit code 1: sbatch refused the job
+ SlurmUnreachable        exit code 3: the Slurm controller does not answer
  + JobMayExist           exit code 3: it did not say whether it took the job
+ JobFailed               exit code 1: a command of a job ended badly
+ TrainingError           exit code 1: training cannot go on, or is not what was asked for
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

OF_THE_NODE = frozenset((errno.EIO, errno.ESTALE))
"""errno of a disk or a mount that broke on this node: elsewhere the same may work."""


class IacfilterError(Exception):
    """A problem that a person can act on: one message, perhaps a hint what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def text(self) -> str:
        """What a person sees: a line `error:` for each problem, a line `hint:` for each hint."""
        errors = [f"error: {line}" for line in self.message.splitlines()]
        hints = [f"hint: {line}" for line in (self.hint or "").splitlines()]
        return "\n".join([*errors, *hints])


class UsageError(IacfilterError):
    """A flag, or a combination of flags, that makes no sense."""

    exit_code = 2


class ConfigError(IacfilterError):
    """One or more settings are wrong; the message names each of them."""

    exit_code = 2


class DataError(IacfilterError):
    """One or more lines of a data file are wrong; the message names each of them."""


class RunNotFound(IacfilterError):
    """No run of that name under the models directory."""

    exit_code = 2


class SubmissionError(IacfilterError):
    """sbatch refused the job."""


class SlurmUnreachable(IacfilterError):
    """The Slurm controller does not answer, or the Slurm commands are missing."""

    exit_code = 3


class JobMayExist(SlurmUnreachable):
    """The controller did not say whether it took the job."""


class JobFailed(IacfilterError):
    """A command that a job started ended with a non-zero exit code or by a signal."""


class TrainingError(IacfilterError):
    """Training cannot go on, or what runs is not what was asked for."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Such as "1 process" and "2 processes"; `many` where it is not `one` with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def together(problems: Sequence[IacfilterError]) -> IacfilterError:
    """Several errors as one, with every message and every hint once."""
    messages = dict.fromkeys(problem.message for problem in problems)
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    kinds = {type(problem) for problem in problems}
    kind = kinds.pop() if len(kinds) == 1 else IacfilterError
    return kind("\n".join(messages), hint="\n".join(hints) or None)
