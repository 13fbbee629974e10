"""iacfilter_hpc.checkpoints.permissions: what a group may do with what training writes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.permissions import share, share_read_only


@pytest.fixture(params=[0o022, 0o002, 0o077, 0o027], ids="{:03o}".format)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def written(umask: int, tmp_path: Path) -> Path:
    """A folder of weights, as safetensors writes them."""
    folder = tmp_path / "made" / "deeper"
    folder.mkdir(parents=True)
    for path in (folder / "weights", folder.parent / "weights"):
        path.touch()
        path.chmod(0o600)
    return folder.parent


def modes(directory: Path) -> dict[bool, set[int]]:
    """Those of folders (True) and of files."""
    found: dict[bool, set[int]] = {True: set(), False: set()}
    for path in [directory, *directory.rglob("*")]:
        found[path.is_dir()].add(stat.S_IMODE(path.stat().st_mode))
    return found


def test_files_are_shared_as_the_umask_says(umask: int, written: Path) -> None:
    (written / "deeper").chmod(0o2750)  # of a folder whose group is kept
    before = modes(written)
    share(written)
    assert modes(written) == {True: before[True], False: {0o666 & ~umask}}


def test_read_only_is_written_by_its_owner_alone(umask: int, written: Path) -> None:
    (written / "weights").chmod(0o666)
    (written / "deeper").chmod(0o777)
    share_read_only(written)
    mask = umask | 0o022
    assert modes(written) == {True: {0o777 & ~mask}, False: {0o666 & ~mask}}
