"""iacfilter_hpc.runs.layout: where things lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.runs.layout import RunLayout, absolute, models_dir, resource


def test_the_models_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert models_dir() == tmp_path / "models"
    monkeypatch.setenv("IACFILTER_MODELS", "")
    assert models_dir() == tmp_path / "models"
    monkeypatch.setenv("IACFILTER_MODELS", "~/of variable")
    assert models_dir() == Path("/home/ada/of variable")
    assert models_dir(Path("given")) == tmp_path / "given"


def test_the_home_of_nobody_is_a_plain_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute(Path("~no-such-user/x")) == tmp_path / "~no-such-user/x"


@pytest.mark.parametrize("folder", ["configs", "jobs", "slurm_templates"])
def test_shipped_folders_are_found(folder: str) -> None:
    assert resource(folder).is_dir()


def test_a_run_knows_its_name_and_files() -> None:
    layout = RunLayout(Path("/models/encoder/mine"))
    assert (layout.name, layout.approach) == ("mine", "encoder")
    inside = [
        *(layout.record, layout.config, layout.deepspeed, layout.slurm, layout.metrics),
        *(layout.heartbeat, layout.tiny_model, layout.final, layout.evaluation),
        *(layout.job("7"), layout.outcome("7"), layout.log("7"), layout.log("7", 1)),
        *(layout.error_log("7"), layout.error_log("7", 1)),
    ]
    assert len(set(inside)) == len(inside)
    assert all(path.is_relative_to(layout.directory) for path in inside)
