"""Test set log: one line a look at labelled samples, so that a score can say which look it was.

Whoever evaluates often enough on one test set chooses by it; the count makes that visible.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.runs.provenance import user
from iacfilter_hpc.runs.record_schema import NotAnObject, json_object
from iacfilter_hpc.runs.records import now

SCHEMA = 2
FILE = "looks.jsonl"

LookPurpose = Literal["evaluate", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Look at a test set: one model's decisions on one labelled file, about to be scored."""

    run: str
    model: str
    """The sha256 of the model's manifest."""
    purpose: LookPurpose
    data: Path
    sha256: str
    samples: int
    threshold: str
    """How the threshold is chosen, in the words of --threshold; cross-fits choose their own."""
    groups_sha256: str | None
    """Of the file that --groups names."""
    cross_fit: int | None
    """The number of folds."""
    seed: int | None
    """Of the folds and their training; None without them."""


def look_at(
    data: Labelled,
    options: EvaluateOptions,
    *,
    run: str,
    model: str,
    purpose: LookPurpose,
    fold_seed: int | None,
) -> Look:
    """The look that an evaluation with these options is."""
    return Look(
        run=run,
        model=model,
        purpose=purpose,
        data=data.path,
        sha256=data.sha256,
        samples=len(data.samples),
        threshold="cross-fit" if options.cross_fit else str(options.threshold),
        groups_sha256=data.groups_sha256,
        cross_fit=options.cross_fit,
        seed=fold_seed,
    )


def record_look(evaluation: Path, look: Look) -> int:
    """Append a line to looks.jsonl in `evaluation`; gives the number of looks at this content.

    It is written before any score is known, so that an evaluation that breaks off, or that nobody
    likes, still counts. A line that cannot be read (a full disk tore it, or two hosts wrote at once
    over NFS) counts as a look at every file.
    """
    written = {"schema": SCHEMA, "time": now(), "user": user(), "host": socket.gethostname()}
    line = json.dumps({**written, **asdict(look), "data": str(look.data)}) + "\n"
    evaluation.mkdir(parents=True, exist_ok=True)
    path = evaluation / FILE
    # O_APPEND: POSIX puts each write at the end in one step on a local disk, which NFS cannot
    # promise; readable for the last byte
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        # one write: two processes never mix their lines
        os.write(descriptor, (_end_of_torn_line(descriptor) + line).encode())
    finally:
        os.close(descriptor)
    # counted after writing, so that of two at once at least the later one knows both
    rows = path.read_bytes().splitlines()
    return sum(_is_of(row, look.sha256) for row in rows if row)


def _end_of_torn_line(descriptor: int) -> str:
    """What must stand before a new line: a torn one would swallow it. An empty line is no look."""
    size = os.fstat(descriptor).st_size
    return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""


def _is_of(line: bytes, sha256: str) -> bool:
    # its schema does not matter: a look counts whichever version has logged it
    try:
        found: bool = json_object(line)["sha256"] == sha256
    except (NotAnObject, KeyError):
        # perhaps it was of this file: too many looks are the honest mistake
        return True
    return found
