"""iacfilter_hpc.lead: how long before its limit a job is asked to save."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iacfilter_hpc.lead import lead_seconds, recorded_saves


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
    assert lead_seconds(saves, minutes) == seconds


def test_saves_of_all_runs_are_read(tmp_path: Path) -> None:
    one, two, none = (tmp_path / name for name in ("one", "two", "none"))
    one.write_text('{"step": 4, "loss": 0.5}\n{"step": 4, "save_seconds": 1.5, "save_bytes": 9}\n')
    two.write_text('{"save_seconds": 3}\n{"save_seconds": null}\n{"step": 8, "save_seconds": 4')
    assert recorded_saves([one, two, none, tmp_path]) == [1.5, 3.0]
    assert recorded_saves([]) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"save_seconds": 3}\n')
    path.chmod(0)
    assert recorded_saves([path]) == []
