"""Progress of a run's training: its heartbeat.json, and the log events in its metrics.jsonl.

Neither has a schema: the names in them are those that the Trainer logs, and more may come. So what
is not there, torn, or no number is unknown, and never an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.record_schema import NotAnObject, json_object

TAIL_BYTES = 32 * 1024
"""How much of the end of a metrics.jsonl is read where many are: a hundred events and more."""
WANTED = {"step", "max_steps", "loss", "eval_f1", "time"}
"""Names that read_progress looks for, and then looks no further."""
LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line of metrics.jsonl, or the heartbeat: what the Trainer has logged, by its names."""

    fields: Mapping[str, object]

    def whole(self, name: str) -> int | None:
        """A whole number; None if it is not there, or is none."""
        value = self.fields.get(name)
        # true is no step, though bool is a subclass of int
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, name: str) -> float | None:
        """A finite number; None if it is not there, or is none."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        # JSON allows for whole numbers that no float can hold
        return float(value) if abs(value) <= LARGEST else None

    @property
    def step(self) -> int | None:
        """How many optimizer steps were made."""
        return self.whole("step")

    @property
    def at(self) -> datetime | None:
        """When it was logged, with its time zone."""
        value = self.fields.get("time")
        try:
            return datetime.fromisoformat(value).astimezone() if isinstance(value, str) else None
        # no date, or one that the machine's clock cannot convert
        except (ValueError, OverflowError):
            return None


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
    fields: dict[str, object] = {}
    for event in _newest_first(layout):
        # a loss that was not finite is null, and does not give way to an older one
        fields = {**event.fields, **fields}
        if fields.keys() >= WANTED:
            break
    newest = LogEvent(fields)
    return Progress(
        step=newest.step,
        max_steps=newest.whole("max_steps"),
        loss=newest.number("loss"),
        f1=newest.number("eval_f1"),
        updated_at=str(fields["time"]) if "time" in fields else None,
    )


def last_step(layout: RunLayout) -> int | None:
    """The step that training had come to some seconds ago at most; None before the first."""
    beat = read_heartbeat(layout)
    return beat.step if beat else None


def read_heartbeat(layout: RunLayout) -> LogEvent | None:
    """The newest heartbeat; None before the first step, or where a file system lags behind."""
    try:
        return log_event(layout.heartbeat.read_bytes())
    except OSError:
        return None


def log_events(metrics: Path) -> list[LogEvent]:
    """Every log event of a metrics.jsonl, oldest first; none if the file cannot be read."""
    try:
        # as bytes: one that is not UTF-8 spoils its own line, and no other
        lines = metrics.read_bytes().split(b"\n")
    except OSError:
        return []  # not there before the first event, or another person's
    # what follows the last line feed is nothing, or a line that is being written
    return list(_events(lines[:-1]))


def newest_log_events(metrics: Path) -> Iterator[LogEvent]:
    """The log events in the last part of a metrics.jsonl, newest first; for who reads many runs."""
    try:
        with metrics.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return
    # where the file is longer, reading began amid a line
    whole = lines[:-1] if size <= TAIL_BYTES else lines[1:-1]
    yield from _events(reversed(whole))


def log_event(line: bytes) -> LogEvent | None:
    """The event in a line; None where a kill left half of one."""
    try:
        return LogEvent(json_object(line))
    except NotAnObject:
        return None


def _newest_first(layout: RunLayout) -> Iterator[LogEvent]:
    # it repeats the newest loss and F1, so that the metrics of most runs are not even opened
    if (beat := read_heartbeat(layout)) is not None:
        yield beat
    yield from newest_log_events(layout.metrics)


def _events(lines: Iterable[bytes]) -> Iterator[LogEvent]:
    return (event for line in lines if (event := log_event(line)) is not None)
