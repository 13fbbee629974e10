"""The log of looks at test sets: whoever reports a score can be asked which look it was."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from iacfilter_hpc.provenance import user
from iacfilter_hpc.runs import now

SCHEMA = 1
FILE = "looks.jsonl"

Purpose = Literal["evaluate", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One model's decisions on one file of labelled samples, about to be scored."""

    run: str
    purpose: Purpose
    data: Path
    sha256: str
    samples: int
    threshold: str
    """How the threshold is chosen, in the words of --threshold."""


def record_look(evaluation: Path, look: Look) -> int:
    """Append a line to looks.jsonl in `evaluation`; which look at this file's content it is.

    It is written before any score is known, so that an evaluation that breaks off, or that nobody
    likes, still counts. A line that cannot be read (two hosts wrote at once over NFS) counts as a
    look at every file.
    """
    written = {"schema": SCHEMA, "time": now(), "user": user(), "host": socket.gethostname()}
    line = json.dumps({**written, **asdict(look), "data": str(look.data)}) + "\n"
    evaluation.mkdir(parents=True, exist_ok=True)
    path = evaluation / FILE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, line.encode())  # one write: two processes never mix their lines
    finally:
        os.close(descriptor)
    return sum(_is_of(row, look.sha256) for row in path.read_bytes().splitlines())


def _is_of(line: bytes, sha256: str) -> bool:
    try:
        found: bool = json.loads(line)["sha256"] == sha256
    except (ValueError, KeyError, TypeError):
        return True
    return found
