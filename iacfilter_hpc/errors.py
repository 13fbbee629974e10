"""The exception tree; every error can carry a hint.

IacfilterError            exit code 1
+ UsageError              exit code 2: a flag or a combination of flags
+ ConfigError             exit code 2: every wrong setting of a configuration, all at once
+ DataError               exit code 1: every wrong line of a data file, all at once
+ RunNotFound             exit code 2: no such run
+ SubmissionError         exit code 1: sbatch refused the job
+ SlurmError              one of the commands of Slurm gave no good answer
  + SlurmRefused          exit code 1: Slurm said no to what was asked
  + SlurmGarbled          exit code 1: what it printed cannot be read
  + SlurmUnreachable      exit code 3: the Slurm controller does not answer
    + SlurmUnanswered     exit code 3: what was asked of it may be done, or not
    + SlurmMissing        exit code 3: its command is not on PATH
    + JobMayExist         exit code 3: it did not say whether it took the job
+ JobFailed               exit code 1: a command of a job ended badly
+ TrainingError           exit code 1: training cannot go on, or is not what was asked for
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

OF_THE_NODE = frozenset((errno.EIO, errno.ESTALE))
"""errno of a disk (EIO) or an NFS mount (ESTALE) that broke on this node.

Elsewhere the same may work: such an error is of the node, not of the data or the code.
"""


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

    # as for a flag that there is not: a script need not know who found what is wrong
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


class SlurmError(IacfilterError):
    """One of the commands of Slurm gave no good answer; `said` is what it printed of it."""

    def __init__(self, message: str, *, hint: str | None = None, said: str = "") -> None:
        super().__init__(message, hint=hint)
        self.said = said


class SlurmRefused(SlurmError):
    """Slurm said no: to ask the same again would bring the same answer."""


class SlurmGarbled(SlurmError):
    """A command of Slurm succeeded, and what it printed cannot be read."""


class SlurmUnreachable(SlurmError):
    """The Slurm controller does not answer, or not now: later it may."""

    # apart from 1: nothing is wrong with the request, and a script may make it again later
    exit_code = 3


class SlurmUnanswered(SlurmUnreachable):
    """The request has left, and no answer came: it may have been carried out."""


class SlurmMissing(SlurmUnreachable):
    """A command of Slurm is not on PATH: to ask again does not help."""


# no SubmissionError, after which a run's directory is deleted: the job may start and need it
class JobMayExist(SlurmUnreachable):
    """The controller did not say whether it took the job."""


class JobFailed(IacfilterError):
    """A command that a job started ended with a non-zero exit code or by a signal."""


class TrainingError(IacfilterError):
    """Training cannot go on, or what runs is not what was asked for."""


MOST = 10
"""Problems of one kind that are named; a thousand would hide what they have in common."""


def first_of(problems: Sequence[str], prefix: str = "") -> list[str]:
    """The first problems, and how many there are besides."""
    more = len(problems) - MOST
    return [*problems[:MOST], f"{prefix}and {more} more"] if more > 0 else list(problems)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Number with its noun, such as "1 process"; `many` where it is not `one` with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def numbered(template: str, *numbers: int) -> tuple[str, str]:
    """A text, and the same with N for its numbers, under which texts alike are counted as one."""
    return template.format(*numbers), template.format(*"N" * len(numbers))


def together(problems: Sequence[IacfilterError]) -> IacfilterError:
    """One error in place of several, with every message and every hint once."""
    # dict, not set: in the order in which they were found
    messages = dict.fromkeys(problem.message for problem in problems)
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    kinds = {type(problem) for problem in problems}
    # the class decides the exit code: none of several may speak for the others
    kind = kinds.pop() if len(kinds) == 1 else IacfilterError
    return kind("\n".join(messages), hint="\n".join(hints) or None)
