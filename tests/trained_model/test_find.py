"""iacfilter_hpc.trained_model.find: a model is found by its run or by its directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import IacfilterError, RunNotFound
from iacfilter_hpc.trained_model.find import Trained, find_trained, of_run
from tests.made_runs import MadeRuns


def finished(directory: Path) -> Path:
    """A final/ as far as looking for one can tell."""
    directory.mkdir(parents=True)
    (directory / "decision.json").write_text("{}")
    return directory


def test_a_run_by_any_of_its_names(made: MadeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = made.run("mine")
    made.job(layout, "7")
    finished(layout.final)
    wanted = Trained(layout.final, layout)
    monkeypatch.chdir(layout.directory)
    for name in ("mine", "7", str(layout.directory), str(layout.final), "./final", "final", "."):
        assert find_trained(made.models, name) == wanted
    assert (of_run(layout), wanted.name) == (wanted, "mine")


def test_a_copy_of_final(made: MadeRuns, tmp_path: Path) -> None:
    final = finished(tmp_path / "copied" / "final")
    for name in (final, final.parent):
        assert find_trained(made.models, str(name)) == Trained(final, None)
    assert Trained(final, None).name == "copied"
    renamed = finished(tmp_path / "secrets-v2")
    assert find_trained(made.models, str(renamed)).name == "secrets-v2"


def test_a_copy_inside_a_run_is_no_part_of_it(made: MadeRuns) -> None:
    copy = finished(made.run("mine").directory / "copy")
    assert find_trained(made.models, str(copy)) == Trained(copy, None)


def test_what_is_no_model(made: MadeRuns, tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="no run typo under"):
        find_trained(made.models, "typo")
    made.run("mine")
    with pytest.raises(IacfilterError, match=r"mine has no trained model: .*/final is missing"):
        find_trained(made.models, "mine")
    with pytest.raises(IacfilterError, match=r"holds no trained model: neither decision\.json"):
        find_trained(made.models, str(tmp_path))
