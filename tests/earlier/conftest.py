"""The kept runs, unpacked anew for each test."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from iacfilter_hpc.runs.layout import RunLayout
from tests.training.settings import DEMO

HERE = Path(__file__).parent
MADE_BY = "9b769e5"
THEIR_DEMO = "/srv/iacfilter_hpc/configs/demo"
"""Where the demo data were when the runs were made."""

Unpack = Callable[..., RunLayout]


def unpack(approach: str, folder: Path) -> RunLayout:
    """The kept run of an approach below `folder`, byte for byte."""
    with tarfile.open(HERE / f"{approach}-{MADE_BY}.tar.xz") as archive:
        # submitit leaves a link to a script by its absolute path, which "data" refuses
        archive.extractall(folder, filter="tar")
    return RunLayout(folder / "models" / approach / approach)


def at_home(layout: RunLayout) -> RunLayout:
    """The run with its data where the demo data are now."""
    config = layout.config.read_text(encoding="utf-8")
    assert THEIR_DEMO in config
    layout.config.write_text(config.replace(THEIR_DEMO, str(DEMO)), encoding="utf-8")
    return layout


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLayout:
    """An encoder that a dry run has trained, and that has filtered report/ beside models/."""
    monkeypatch.setenv("IACFILTER_MODELS", str(tmp_path / "models"))
    return at_home(unpack("encoder", tmp_path))


@pytest.fixture
def generative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLayout:
    """A generative model that job 42 has trained in two processes under ZeRO-2."""
    monkeypatch.setenv("IACFILTER_MODELS", str(tmp_path / "models"))
    return at_home(unpack("generative", tmp_path))
