"""A disk that fills up while a checkpoint is written: an error, and the one before is untouched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.manifest import verify_checkpoint
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.training.run import train
from tests.training.settings import TRAINS
from tests.training.test_resume import config_of, layout_of, weights

pytestmark = TRAINS


ROOM = "5500k"
"""For the tiny model and two checkpoints of 1.9 MB, and not for a third."""


def test_a_full_disk(full_disk: Path, tmp_path: Path) -> None:
    grow(full_disk, ROOM)
    layout = layout_of(full_disk / "encoder" / "run")
    config = config_of("encoder")
    with pytest.raises(TrainingError, match=r"^the checkpoint of step 6 cannot be saved: ") as full:
        train(layout, config)
    assert "Earlier checkpoints are untouched: iacfilter-submit --resume run" in (
        full.value.hint or ""
    )
    kept = sorted(path.name for path in layout.directory.glob("*checkpoint-*"))
    assert kept == ["checkpoint-2", "checkpoint-4"]
    for name in kept:
        verify_checkpoint(layout.directory / name)
    assert not list(layout.directory.glob(".saving-*"))
    grow(full_disk, "50m")
    train(layout, config)
    twin = layout_of(tmp_path / "encoder" / "twin")
    train(twin, config)
    assert weights(layout) == weights(twin)


def grow(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
