"""iacfilter-filter with a model in ONNX: no torch, no transformers, the same decisions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.exporting.to_onnx import export_onnx
from tests.cli.commands import iacfilter, module_of
from tests.filtering.unguarded import unguarded
from tests.glitch.made_decisions import write_all
from tests.made_runs import DEMO
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS

pytestmark = TRAINS

LACKING = "torch transformers peft accelerate deepspeed datasets sklearn scipy pandas onnx".split()
"""Packages that `pip install 'iacfilter-hpc[filter]'` does not bring."""
WITHOUT = """
import runpy, sys
# what is None there can neither be imported nor found
sys.modules |= dict.fromkeys(sys.argv[1].split())
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model with torch, and the same in ONNX."""
    folder = tmp_path_factory.mktemp("models")
    final = make_encoder_final(folder / "final")
    export_onnx(final, folder / "small", int8=False, data=DEMO["test"])
    return final, folder / "small"


def filtered(folder: Path, model: Path) -> subprocess.CompletedProcess[str]:
    """The command in a Python that lacks the packages."""
    report, scripts = write_all(folder)
    words = [str(report.path), "--scripts", str(scripts.folder), "--model", str(model)]
    words += unguarded()
    words += ["-o", str(folder / "kept.csv"), "--sarif", str(folder / "kept.sarif"), "--annotate"]
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, " ".join(LACKING), module_of("filter"), *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )


def rows(folder: Path, model: Path) -> list[list[str]]:
    """The rows of the ordinary command, in the words of the CSV."""
    report, scripts = write_all(folder)
    done = iacfilter(
        "filter",
        *(str(report.path), "--scripts", str(scripts.folder), "--model", str(model)),
        *("-o", str(folder / "all.csv"), "--annotate", *unguarded()),
    )
    assert done.returncode == 0, done.stderr
    return [line.split(",")[-2:] for line in (folder / "all.csv").read_text().splitlines()]


def test_it_filters_without_torch_as_with_it(models: tuple[Path, Path], tmp_path: Path) -> None:
    final, small = models
    done = filtered(tmp_path, small)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["model"]["directory"] == str(small)
    assert (told["rows"]["read"], told["rows"]["tp"] + told["rows"]["fp"]) == (13, 7)
    kept = [line.split(",")[-2:] for line in (tmp_path / "kept.csv").read_text().splitlines()]
    wanted = rows(tmp_path, final)
    assert [row[0] for row in kept] == [row[0] for row in wanted]
    p_tp = [[float(p) for _, p in each if p] for each in (kept, wanted)]
    assert p_tp[0] == pytest.approx(p_tp[1], abs=1e-4)


def test_a_model_that_needs_torch_says_so(models: tuple[Path, Path], tmp_path: Path) -> None:
    done = filtered(tmp_path, models[0])
    assert done.returncode == 1
    assert "lacks torch, transformers, peft" in done.stderr
    assert "iacfilter-export RUN --onnx" in done.stderr
    assert not (tmp_path / "kept.csv").exists()


def test_a_directory_without_its_weights(models: tuple[Path, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(models[1], tmp_path / "copy")
    (copy / "model.onnx").unlink()
    done = filtered(tmp_path, copy)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {copy / 'model.onnx'} is missing\n")
