"""How far a run's training has come, read from its metrics.jsonl and heartbeat.json."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.runs.layout import RunLayout

TAIL_BYTES = 32 * 1024
WANTED = {"step", "max_steps", "loss", "eval_f1", "time"}
LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest numbers; None where nothing has been logged."""

    step: int | None = None
    max_steps: int | None = None
    loss: float | None = None
    f1: float | None = None
    updated_at: str | None = None


def read_progress(layout: RunLayout) -> Progress:
    """The newest step, training loss and validation F1 of a run."""
    newest: dict[str, object] = {}
    for event in _newest_first(layout):
        newest = {**event, **newest}
        if newest.keys() >= WANTED:
            break
    return Progress(
        step=_whole(newest.get("step")),
        max_steps=_whole(newest.get("max_steps")),
        loss=_real(newest.get("loss")),
        f1=_real(newest.get("eval_f1")),
        updated_at=str(newest["time"]) if "time" in newest else None,
    )


def _newest_first(layout: RunLayout) -> Iterator[dict[str, object]]:
    """The heartbeat, then the log events from the last one on; what is no object is left out."""
    # absent before the first step; a shared file system may also lag behind
    with contextlib.suppress(OSError):
        yield from _objects([layout.heartbeat.read_bytes()])
    yield from _objects(_last_lines(layout.metrics))


def _last_lines(path: Path) -> list[bytes]:
    """The whole lines in the last part of a file, the last one first."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return []
    return (lines[:-1] if size <= TAIL_BYTES else lines[1:-1])[::-1]


def _objects(texts: Iterable[bytes]) -> Iterator[dict[str, object]]:
    for text in texts:
        try:
            value = json.loads(text)
        except ValueError:
            continue  # a torn line; the one before it counts
        if isinstance(value, dict):
            yield value


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _real(value: object) -> float | None:
    fits = isinstance(value, float) or _whole(value) is not None
    return float(value) if fits and abs(value) <= LARGEST else None  # type: ignore[arg-type]
