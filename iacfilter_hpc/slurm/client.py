"""Slurm client: run one of Slurm's commands, and tell its answers apart.

Whoever asks Slurm anything does so here, but for the sbatch that submitit starts: its errors go
through the same table (executor.py). A command that succeeds prints its answer; one that does not
has been refused (SlurmRefused), has met a controller that is away (SlurmUnreachable, or
SlurmUnanswered where the request may have been carried out), or is missing (SlurmMissing). What is
printed and cannot be read is SlurmGarbled, raised by those that read it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from iacfilter_hpc.errors import (
    SlurmError,
    SlurmGarbled,
    SlurmMissing,
    SlurmRefused,
    SlurmUnanswered,
    SlurmUnreachable,
)

TIMEOUT_S = 90
"""Slurm's own MessageTimeout is 10 s, and its commands try more than once."""

SAYINGS: tuple[tuple[type[SlurmError], str], ...] = (
    # the request was sent, and what became of it is not known
    (SlurmUnanswered, r"timed out"),
    (SlurmUnanswered, r"zero bytes were transmitted"),
    (SlurmUnanswered, r"unexpected message received"),
    (SlurmUnanswered, r"\((?:receive|shutdown) failure\)"),
    (SlurmUnanswered, r"(?:message|communication) (?:receive|shutdown) failure"),
    # nobody was there to take it: slurmctld, slurmdbd, the munged of this machine
    (SlurmUnreachable, r"unable to contact"),
    (SlurmUnreachable, r"(?:message|communication) (?:connection|send) failure"),
    (SlurmUnreachable, r"connection refused"),
    (SlurmUnreachable, r"unable to connect to database|problem talking to the database"),
    (SlurmUnreachable, r"munge encode failed|failed to connect to authentication agent"),
    (SlurmUnreachable, r"standby mode"),
    # slurm.conf is missing, or where it should come from does not resolve
    (SlurmUnreachable, r"unable to process configuration file"),
    (SlurmUnreachable, r"could not establish a configuration source|dns srv lookup failed"),
    # it answers that it cannot answer now
    (SlurmUnreachable, r"temporarily una(?:ble|vailable)|try again"),
)
"""Phrases that the commands print where the controller is away; the first that is found counts.

The exit code does not tell: it is 1 nearly always. Whole phrases, since an answer may repeat words
of the request. Sources: src/common/slurm_errno.c, src/common/read_config.c, auth_munge.c
"""


def call(argv: Sequence[str]) -> str:
    """Standard output of one of Slurm's commands.

    Raises:
        SlurmRefused: it says no.
        SlurmUnreachable: it gets no answer in time, or is missing (SlurmMissing).
    """
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # another job of mine may bear a name in Latin-1
            timeout=TIMEOUT_S,
            check=False,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise SlurmMissing(f"{argv[0]} is not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmUnanswered(f"{argv[0]} gave no answer in {TIMEOUT_S} s") from error
    # words on stderr alone are no failure: Slurm warns there, and does what was asked
    if done.returncode:
        raise failure(argv[0], done.returncode, done.stderr)
    return done.stdout


def failure(program: str, code: int, stderr: str) -> SlurmError:
    """Error of a command that failed, by its exit code (below 0: a signal) and its words (pure)."""
    said = " ".join(stderr.split())
    message = f"{program} failed: {said or f'exit code {code}'}"
    if code < 0:  # killed: whether it had sent the request is not known
        return SlurmUnanswered(message, said=said)
    # a phrase of a newer Slurm is taken for a refusal too: nothing is asked again that may stand
    for kind, saying in SAYINGS:
        if re.search(saying, said, re.IGNORECASE):
            return kind(message, said=said)
    return SlurmRefused(message, said=said)


def garbled(program: str, printed: str) -> SlurmGarbled:
    """The error of an answer that cannot be read; it shows the beginning of the answer."""
    start = " ".join(printed.split())[:60]
    return SlurmGarbled(f"{program} gave an answer that cannot be read: {start!r}", said=printed)
