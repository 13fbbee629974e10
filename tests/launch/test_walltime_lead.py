"""iacfilter_hpc.launch.walltime_lead: how long before its limit a job is asked to save."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iacfilter_hpc.launch.walltime_lead import Pace, lead_seconds, recorded_pace


@pytest.mark.parametrize(
    ("saves", "minutes", "seconds"),
    [
        ([], 240, 120),
        ([10.0], 240, 120),
        ([30.0], 240, 120),
        ([30.2], 240, 121),
        ([200.0, 3.5, 90.0], 240, 460),
        ([7200.0], 240, 7200),
        ([], 4, 120),
        ([], 3, 90),
        ([], 1, 30),
        ([1000.0], 10, 300),
    ],
)
def test_twice_the_longest_save_and_never_more_than_half(
    saves: list[float], minutes: int, seconds: int
) -> None:
    assert lead_seconds(Pace(saves, []), minutes) == seconds


def test_long_steps_count() -> None:
    """One is under way when the request comes, and another may begin before all know of it."""
    assert lead_seconds(Pace([20.0], [50.0, 90.0, 1.0]), 240) == 2 * (20 + 90) + 60


def test_a_step_is_what_most_steps_took(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"time": "2026-01-02T03:04:00.000+00:00", "step": 10, "loss": 1}\n'
        '{"time": "2026-01-02T03:04:20.000+00:00", "step": 20, "loss": 1}\n'
        '{"time": "2026-01-02T03:04:39.000+00:00", "step": 20, "eval_loss": 1}\n'
        '{"time": "2026-01-02T03:05:00.000+00:00", "step": 30, "loss": 1}\n'
        '{"time": "2026-01-02T03:05:20.000+00:00", "step": 40, "loss": 1}\n'
        '{"step": 40, "loss": 1}\n[]\n'
    )
    assert recorded_pace([path]).steps == [2.0]


def test_saves_of_all_runs_are_read(tmp_path: Path) -> None:
    one, two, none = (tmp_path / name for name in ("one", "two", "none"))
    one.write_text('{"step": 4, "loss": 0.5}\n{"step": 4, "save_seconds": 1.5, "save_bytes": 9}\n')
    two.write_text('{"save_seconds": 3}\n{"save_seconds": null}\n{"step": 8, "save_seconds": 4')
    assert recorded_pace([one, two, none, tmp_path]).saves == [1.5, 3.0]
    assert recorded_pace([]) == Pace([], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"save_seconds": 3}\n')
    path.chmod(0)
    assert recorded_pace([path]).saves == []
