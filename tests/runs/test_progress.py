"""iacfilter_hpc.runs.progress: the newest numbers, whatever state the files are in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.progress import (
    TAIL_BYTES,
    LogEvent,
    Progress,
    last_step,
    log_events,
    newest_log_events,
    read_progress,
)


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    return RunLayout(tmp_path)


def test_nothing_is_known_before_training(run: RunLayout) -> None:
    assert read_progress(run) == Progress()


def test_each_number_is_its_newest(run: RunLayout) -> None:
    lines = [
        {"step": 1, "max_steps": 9, "loss": 0.9, "time": "t1"},
        {"step": 2, "max_steps": 9, "eval_f1": 0.5, "time": "t2"},
        {"step": 3, "max_steps": 9, "loss": 0.7, "time": "t3"},
    ]
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_progress(run) == Progress(3, 9, 0.7, 0.5, "t3")
    run.heartbeat.write_text('{"step": 4, "max_steps": 9, "time": "t4"}')
    assert read_progress(run) == Progress(4, 9, 0.7, 0.5, "t4")


@pytest.mark.parametrize(
    "tail", [b'{"step": 2, "lo', b'{"step": 2}', b"\xff\xfe\n", b"\n", b"[1]\n3\nnull\n", b"\0\0\n"]
)
def test_a_torn_or_foreign_line_does_not_count(run: RunLayout, tail: bytes) -> None:
    run.metrics.write_bytes(b'{"step": 1, "loss": 0.5}\n' + tail)
    assert read_progress(run) == Progress(step=1, loss=0.5)


@pytest.mark.parametrize("beat", [b"", b"{", b"[1, 2]", b"3", b"null", b'"text"', b"\xff"])
def test_a_damaged_heartbeat_does_not_count(run: RunLayout, beat: bytes) -> None:
    run.metrics.write_text('{"step": 1}\n')
    run.heartbeat.write_bytes(beat)
    assert read_progress(run) == Progress(step=1)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "null", '"0.5"', "true", "[1]", "1" + "0" * 400]
)
def test_what_is_no_number_is_unknown(run: RunLayout, value: str) -> None:
    run.metrics.write_text(f'{{"step": "two", "loss": {value}, "eval_f1": {value}}}\n')
    progress = read_progress(run)
    assert (progress.step, progress.loss, progress.f1) == (None, None, None)


def test_only_the_end_of_a_long_file_is_read(run: RunLayout) -> None:
    lines = [json.dumps({"step": step, "padding": "ä" * 99}) for step in range(2000)]
    run.metrics.write_text('{"eval_f1": 0.9}\n' + "\n".join(lines) + "\n", encoding="utf-8")
    assert run.metrics.stat().st_size > 2 * TAIL_BYTES
    assert read_progress(run) == Progress(step=1999)


def test_a_loss_that_was_not_finite_does_not_give_way_to_an_older_one(run: RunLayout) -> None:
    run.metrics.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": null}\n')
    assert read_progress(run) == Progress(step=2, loss=None)


def test_all_events_or_the_newest_ones_of_a_file(run: RunLayout) -> None:
    """Both leave out what a kill has torn."""
    assert log_events(run.metrics) == list(newest_log_events(run.metrics)) == []
    lines = [json.dumps({"step": step, "padding": "x" * 99}) for step in range(2000)]
    run.metrics.write_text("\n".join(lines) + '\n[]\n{"step": 2000')
    found = [event.step for event in log_events(run.metrics)]
    newest = [event.step for event in newest_log_events(run.metrics)]
    assert found == list(range(2000))
    assert 100 < len(newest) < 300
    assert newest == found[::-1][: len(newest)]


@pytest.mark.parametrize(
    ("beat", "step"),
    [(None, None), (b'{"step": 4}', 4), (b"{", None), (b"[]", None), (b'{"step": true}', None)],
)
def test_the_last_step_is_that_of_the_heartbeat(
    run: RunLayout, beat: bytes | None, step: int | None
) -> None:
    run.metrics.write_text('{"step": 1}\n')
    if beat is not None:
        run.heartbeat.write_bytes(beat)
    assert last_step(run) == step


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-01-02T03:04:05.250+00:00", datetime(2026, 1, 2, 3, 4, 5, 250_000, UTC)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, 0, UTC)),
        ("yesterday", None),
        (1767323045, None),
        (None, None),
    ],
)
def test_the_time_of_an_event(value: object, at: datetime | None) -> None:
    assert LogEvent({"time": value}).at == at
    assert LogEvent({}).at is None
