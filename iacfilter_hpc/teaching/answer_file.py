"""Answer file: every answer of a teacher as it came, one JSON object a line, never rewritten.

An answer is on disk before the next is asked for, so that a kill loses at most what was under way,
and nothing is paid for twice. A line that a kill has cut short is taken off when the file is next
opened; any other line that cannot be read is an error.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError, IacfilterError
from iacfilter_hpc.runs.record_schema import Unreadable, kind_of
from iacfilter_hpc.teaching.verdicts import Completion, NoCompletion, read_completion

NO_LOCKS = frozenset((errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP))
"""errno of flock(2) on a file system without locks, such as Lustre mounted without flock."""
HINT = "move the file away to ask anew, or mend the line"


@dataclass(frozen=True, slots=True)
class Vote:
    """Key of an answer: the sample's key, the sha256 of what was asked, and which vote it is."""

    sample: str
    request: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer of the teacher; `raw` is the body as it came. `prompt` is the template's sha256."""

    schema: int = 1
    sample: str
    request: str
    vote: int
    prompt: str
    model: str
    asked_at: str
    seconds: float
    raw: str

    @property
    def key(self) -> Vote:
        """What it is the answer to."""
        return Vote(self.sample, self.request, self.vote)

    @property
    def completion(self) -> Completion:
        """What it says.

        Raises:
            NoCompletion: `raw` is none of a chat completion.
        """
        return read_completion(self.raw)


ANSWER = kind_of(Answer, error=DataError, hint=HINT)


class AnswerFile:
    """Answer file that is open for more: the answers that it has, and a way to add one."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._descriptor = descriptor
        self.path = path
        self.answers = {answer.key: answer for answer in _read(path, descriptor)}

    def add(self, answer: Answer) -> None:
        """Write an answer, and have it on disk when this returns.

        Raises:
            IacfilterError: it cannot be written.
        """
        line = json.dumps(asdict(answer), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError as error:
            problem = f"{self.path} cannot be written: {error.strerror}"
            raise IacfilterError(problem, hint="the answers before it are kept") from error
        self.answers[answer.key] = answer


@contextmanager
def opened(path: Path) -> Iterator[tuple[AnswerFile, bool]]:
    """The answer file at a path, made if there is none, and whether it is locked against others.

    Raises:
        IacfilterError: another process has it open.
        DataError: it has lines that are no answers (all are named).
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        locked = _lock(path, descriptor)
        yield AnswerFile(path, descriptor), locked
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> bool:
    """Keep others off the file; False where its file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return False
        if error.errno != errno.EWOULDBLOCK:
            raise
        raise IacfilterError(
            f"{path} is in use: another iacfilter-teach writes it",
            hint="wait for it, or choose another output",
        ) from error
    return True


def _read(path: Path, descriptor: int) -> list[Answer]:
    content = _whole_lines(path, descriptor)
    found: list[Answer] = []
    problems: list[str] = []
    # split at line ends alone: text would also split inside a string, at U+2028
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            found.append(ANSWER.parse(line))
            # what is kept was one: whoever reads it later need not doubt it
            found[-1].completion  # noqa: B018
        except Unreadable as error:
            problems += [f"{path}:{number}: {problem}" for problem in error.problems]
        except NoCompletion as error:
            problems.append(f"{path}:{number}: raw is no chat completion: {error}")
    if problems:
        raise DataError("\n".join(problems), hint=HINT)
    return found


def _whole_lines(path: Path, descriptor: int) -> bytes:
    """The content up to the last line end; what comes after it is taken off the file."""
    content = path.read_bytes()
    kept = content.rfind(b"\n") + 1
    if kept < len(content):
        os.ftruncate(descriptor, kept)
    return content[:kept]
