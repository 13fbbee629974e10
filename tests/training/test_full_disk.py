"""A disk that fills up while a checkpoint is written: an error, and the one before is untouched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.training.manifest import verify
from iacfilter_hpc.training.run import train

from .settings import TRAINS
from .test_resume import config_of, layout_of, weights

pytestmark = TRAINS


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Room for the tiny model and two checkpoints of 1.9 MB, and not for a third."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=5500k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a small disk: {done.stderr.strip()}")
    yield folder
    # lazily: a model that was loaded from it is still mapped
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    layout = layout_of(small_disk / "encoder" / "run")
    config = config_of("encoder")
    with pytest.raises(TrainingError, match=r"^the checkpoint of step 6 cannot be saved: ") as full:
        train(layout, config)
    assert "Earlier checkpoints are untouched: iacfilter-submit --resume run" in (
        full.value.hint or ""
    )
    kept = sorted(path.name for path in layout.directory.glob("*checkpoint-*"))
    assert kept == ["checkpoint-2", "checkpoint-4"]
    for name in kept:
        verify(layout.directory / name)
    assert not list(layout.directory.glob(".saving-*"))
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    train(layout, config)
    twin = layout_of(tmp_path / "encoder" / "twin")
    train(twin, config)
    assert weights(layout) == weights(twin)
