"""Another package's approach: declared, trained, scored and compared, with no edit in this one."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.cli import compare, evaluate, status, submit
from iacfilter_hpc.cli.data import __main__ as data
from iacfilter_hpc.cli.judging import filter
from iacfilter_hpc.config.approaches import GROUP, find_approach
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import PACKAGE, RunLayout
from iacfilter_hpc.runs.records import write_record
from iacfilter_hpc.runs.tree import find_run
from iacfilter_hpc.training.run import train
from tests.cli.commands import iacfilter
from tests.filtering.unguarded import unguarded
from tests.glitch.made_decisions import write_all
from tests.made_runs import DEMO, RECORD
from tests.training.settings import TRAINS, run_config

pytestmark = TRAINS

PLUGIN = Path(__file__).parents[2] / "plugin"


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, points: dict[str, str]) -> None:
    """Make entry points visible here and to every process started here, as pip would."""
    metadata = folder / "a_package-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: a-package\nVersion: 0.1\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "broken_approach", raising=False)
    path = [str(folder), str(PLUGIN), str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))


@pytest.fixture
def linear(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The package in tests/plugin, installed for a while."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    (tmp_path / "site").mkdir()
    install(monkeypatch, tmp_path / "site", project["entry-points"][GROUP])
    monkeypatch.syspath_prepend(str(PLUGIN))


def encoder_run(models: Path) -> RunLayout:
    """A trained run to compare with."""
    layout = RunLayout(models / "encoder" / "usual")
    layout.slurm.mkdir(parents=True)
    config = run_config("encoder").model_copy(update={"name": "usual"})
    layout.config.write_text(as_yaml(config))
    hashes = {f"{part}_file": sha256_of(DEMO[part]) for part in ("train", "validation")}
    write_record(layout.record, replace(RECORD, run="usual", data_sha256=hashes))
    train(layout, config)
    return layout


def test_an_approach_from_outside(
    linear: None, models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # trained, by the launcher, the worker and the launch that every run has
    words = ["--approach", "linear", "--dry-run", "--name", "mine"]
    done = iacfilter("submit", *words, "--set", "data.test_file=null")
    assert done.returncode == 0, done.stderr
    run = find_run(models, "mine")
    assert run.directory == models / "linear" / "mine"
    assert {"linear.safetensors", "decision.json"} <= {path.name for path in run.final.iterdir()}
    assert not (run.final / "model.safetensors").exists()
    assert "A linear classifier over hashed words" in (run.final / "README.md").read_text()
    capfd.readouterr()
    assert status.main(["--json"]) == 0
    assert json.loads(capfd.readouterr().out)["runs"][0]["approach"] == "linear"

    # evaluated
    assert evaluate.main(["mine", "--data", str(DEMO["test"]), "--json"]) == 0
    predictions = [*run.evaluation.glob("*/predictions.jsonl")]
    assert len(predictions) == 1
    assert len(predictions[0].read_text().splitlines()) == 3

    # filters a report
    report, scripts = write_all(tmp_path)
    kept = tmp_path / "kept.csv"
    flags = ["--scripts", str(scripts.folder), "--annotate", "-o", str(kept)]
    assert filter.main([str(report.path), "--model", "mine", *flags, *unguarded()]) == 0
    with kept.open(newline="") as file:
        judged = [row for row in csv.reader(file) if row[-2] in ("TP", "FP")]
    assert len(judged) == 7
    assert all(0 < float(row[-1]) < 1 for row in judged)

    # and is compared with an encoder
    encoder_run(models)
    capfd.readouterr()
    assert compare.main(["mine", "usual", "--data", str(DEMO["test"]), "--json"]) == 0
    assert {"mine", "usual"} <= {
        system["name"] for system in json.loads(capfd.readouterr().out)["systems"]
    }


def test_its_rules_are_those_that_it_declares(
    linear: None, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (
        "lora={r: 1, lora_alpha: 1, lora_dropout: 0, target_modules: x}",
        "model.quantization=nf4",
        "model.dtype=bfloat16",
        "packing.attention=blocks",
        "training.use_cpu=false",
    )
    words = [word for setting in settings for word in ("--set", setting)]
    assert submit.main(["--approach", "linear", "--dry-run", *words, "--gpus", "2"]) == 2
    said = capsys.readouterr().err
    for problem in (
        "the linear approach trains on one GPU of one node",
        "lora is for the generative approach; the linear approach trains all weights",
        "model.quantization is for the generative approach: a linear classifier trains all weights",
        "packing.attention is blocks; for linear: auto, padded",
    ):
        assert problem in said
    assert submit.main(["--approach", "linear", "--plan"]) == 2
    assert "no shapes of models of the linear approach are known" in capsys.readouterr().err


def test_its_script_meets_no_other_processes(
    linear: None, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--train-file", str(DEMO["train"]), "--validation-file", str(DEMO["validation"])]
    assert submit.main(["--approach", "linear", *files, "--print-script"]) == 0
    script = capsys.readouterr().out
    assert "worker.after_step" in script
    assert "IACFILTER_RENDEZVOUS" not in script


def test_an_unknown_approach_is_a_usage_error_that_says_what_there_is(
    linear: None, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = ["check", str(DEMO["train"]), "--model", "x", "--approach", "linnear"]
    for main, words in ((submit.main, ["--approach", "linnear", "--dry-run"]), (data.main, check)):
        assert main(words) == 2
        assert capsys.readouterr().err == (
            "error: there is no approach 'linnear'; there are generative, encoder, linear\n"
            f"hint: a package can add one, with an entry point of the group {GROUP}\n"
        )


MODULE = """
from pathlib import Path
from iacfilter_hpc.config.approaches import ApproachEntry
def entry(name, implementation):
    return ApproachEntry(
        name=name, about="", subject="it", kind="one", implementation=implementation,
        configs_directory=Path(__file__).parent,
    )
A = entry("a", "json:JSONDecoder")
NO_CLASS = entry("no-class", "broken_approach:Gone")
NO_MODULE = entry("no-module", "no_such_module:Gone")
"""


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("gone", "no_such_module:A", "cannot be loaded from no_such_module:A: No module named"),
        ("lacking", "broken_approach:B", "cannot be loaded from broken_approach:B: module"),
        ("other", "broken_approach:A", "broken_approach:A of a-package is no ApproachEntry named"),
        ("text", "broken_approach:MODULE", "cannot be loaded from broken_approach:MODULE"),
    ],
)
def test_an_entry_point_that_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    problem: str,
) -> None:
    (tmp_path / "broken_approach.py").write_text(MODULE)
    install(monkeypatch, tmp_path, {name: value})
    assert submit.main(["--approach", name, "--dry-run"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and problem in said
    assert "\nhint: " in said


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a", "json:JSONDecoder is no class of an approach"),
        ("no-class", "the approach no-class cannot be loaded from broken_approach:Gone: module"),
        ("no-module", "the approach no-module cannot be loaded from no_such_module:Gone: No mod"),
    ],
)
def test_a_declaration_whose_other_half_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    problem: str,
) -> None:
    (tmp_path / "broken_approach.py").write_text(MODULE)
    (tmp_path / f"{name}.yaml").write_text("data: {max_length: 9, input_fields: null}\n")
    attribute = name.replace("-", "_").upper()
    install(monkeypatch, tmp_path, {name: f"broken_approach:{attribute}"})
    words = ["check", str(DEMO["train"]), "--model", "x", "--approach", name, "--max-length", "9"]
    assert data.main(words) == 1
    said = capsys.readouterr().err
    assert f"error: {problem}" in said
    assert "\nhint: its ApproachEntry names it as implementation=" in said


FORBIDDEN = """
import importlib.metadata, runpy, sys
usual = importlib.metadata.entry_points
def entry_points(**wanted):
    assert wanted.get("group") != "iacfilter_hpc.approaches", "entry points were searched for"
    return usual(**wanted)
importlib.metadata.entry_points = entry_points
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "words",
    ["submit --help", "data check --help", "status", "submit --approach encoder --plan"],
)
def test_entry_points_are_searched_only_for_what_is_not_here(models: Path, words: str) -> None:
    command, *rest = words.split()
    program = [sys.executable, "-c", FORBIDDEN, f"iacfilter_hpc.cli.{command}", *rest]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert "entry points were searched for" not in done.stderr
    assert done.returncode == 0, done.stderr
    unknown = [*program[:4], "--approach", "x", "--plan"]
    if command == "submit":
        done = subprocess.run(unknown, capture_output=True, text=True, check=False)
        assert "entry points were searched for" in done.stderr, "the look-out works"


def test_an_entry_is_found_without_torch(linear: None) -> None:
    program = (
        "import sys\nfrom iacfilter_hpc.config.approaches import find_approach\n"
        "assert find_approach('linear').defaults.is_file()\n"
        "assert not {'torch', 'transformers', 'pydantic', 'yaml'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert find_approach("linear").name == "linear"
