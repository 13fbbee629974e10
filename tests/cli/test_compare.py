"""iacfilter-compare: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from iacfilter_hpc.cli.compare import main
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.evaluation.data import Labelled
from tests.cli.commands import iacfilter
from tests.comparison.made_data import write_csv, write_samples
from tests.made_models import make_final
from tests.made_runs import DEMO, MadeRuns, demo_config

pytestmark = pytest.mark.train


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command in this process: libraries are imported once."""

    def call(*arguments: str) -> Done:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Labelled:
    """Samples, two files of predictions, and the folder that they lie in to work in."""
    monkeypatch.chdir(tmp_path)
    made = write_samples(tmp_path / "labelled.jsonl", count=40)
    write_csv(tmp_path / "perfect.csv", made, "decision", lambda _, real: "TP" if real else "FP")
    write_csv(tmp_path / "random.csv", made, "p_tp", lambda i, _: f"0.{i * 7 % 10}")
    return made


ARGUMENTS = (
    *("--data", "labelled.jsonl", "--draws", "200"),
    *("--predictions", "perfect=perfect.csv", "--predictions", "random=random.csv"),
)


def test_the_answer(data: Labelled, models: Path) -> None:
    done = iacfilter("compare", *ARGUMENTS)
    assert done.returncode == 0
    assert done.stderr == (
        "warning: left out: TF-IDF + LR: no run is compared, so there is no train split to fit it "
        "on\n"
    )
    lines = done.stdout.splitlines()
    assert lines[0] == f"{data.path} (sha256 {data.sha256[:8]})"
    rows = {line.split("  ")[0]: line.split() for line in lines[3:8]}
    assert rows["perfect"][1:6] == ["external", "1.000", "1.000", "1.000", "1.000"]
    assert rows["keep all"][2:5] == ["held-out", "0.400", "1.000"]
    assert "perfect decides better than random: it alone is right on " in done.stdout
    assert "Left out: TF-IDF + LR" in done.stdout
    assert max(len(line) for line in lines if "/" not in line) <= 130
    (folder,) = (models / "comparisons").iterdir()
    assert lines[-1] == f"Written: {folder / 'report.html'}, report.md, comparison.json"
    assert folder.name.startswith(f"labelled-{data.sha256[:8]}-")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["comparison.json", "report.html", "report.md"]


def test_the_place_is_that_of_the_question(compare: Command, data: Labelled, models: Path) -> None:
    for arguments, folders in (
        (ARGUMENTS, 1),
        (ARGUMENTS, 1),
        ((*ARGUMENTS, "--seed", "1"), 2),
        (ARGUMENTS[:-2], 3),
    ):
        assert compare(*arguments, "--json").returncode == 0
        assert len(list((models / "comparisons").iterdir())) == folders


def test_json_is_one_document(compare: Command, data: Labelled, tmp_path: Path) -> None:
    done = compare(*ARGUMENTS, "--json", "-o", "out/deep")
    document = json.loads(done.stdout)
    assert document.pop("directory") == str(tmp_path / "out" / "deep")
    assert document == json.loads((tmp_path / "out" / "deep" / "comparison.json").read_text())
    assert (document["schema"], document["labels"]) == (1, {"TP": 16, "FP": 24})
    names = [system["name"] for system in document["systems"]]
    assert names == ["perfect", "random", "keep all"]
    assert len(document["pairs"]) == 3
    assert document["systems"][0]["overall"]["f1"]["mean"] == 1
    assert document["costs"][0]["gpu_hours"] is None


def test_markdown_is_what_is_written(compare: Command, data: Labelled, tmp_path: Path) -> None:
    done = compare(*ARGUMENTS, "--markdown", "-o", "out")
    assert done.stdout == (tmp_path / "out" / "report.md").read_text()
    assert done.stdout.startswith("# Comparison on labelled.jsonl\n")


def test_several_files_of_one_name(compare: Command, data: Labelled) -> None:
    done = compare(
        *("--data", "labelled.jsonl", "--draws", "100", "-o", "out", "--json"),
        *("--predictions", "both=perfect.csv", "--predictions", "both=random.csv"),
    )
    first = json.loads(done.stdout)["systems"][0]
    assert (first["name"], len(first["members"])) == ("both", 2)
    assert first["overall"]["f1"]["sd"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to compare: name a RUN, or --predictions NAME=FILE"),
        (["--predictions", "perfect.csv"], "'perfect.csv' is not NAME=FILE"),
        (["--predictions", "=perfect.csv"], "'=perfect.csv' is not NAME=FILE"),
        (["--predictions", " =perfect.csv"], "' =perfect.csv' is not NAME=FILE"),
        (["--predictions", "perfect="], "'perfect=' is not NAME=FILE"),
        (["--predictions", "a\x1b[31m=perfect.csv"], "is no name of 1 to 60 printable characters"),
        (["--predictions", f"{'x' * 61}=perfect.csv"], "is no name of 1 to 60 printable"),
        (["--predictions", "a=nowhere.csv"], "error: --predictions a: nowhere.csv is not a file"),
        (["--predictions", "a=."], "error: --predictions a: . is not a file"),
        (["--predictions", "keep all=perfect.csv"], "another system has this name"),
        (["--predictions", "a=perfect.csv", "--json", "--markdown"], "are two answers"),
        (["--predictions", "a=perfect.csv", "--groups", "no.csv"], "no.csv is not a file"),
        (["--predictions", "a=perfect.csv", "-o", "random.csv"], "random.csv is not a directory"),
        (["--predictions", "a=perfect.csv", "--draws", "5"], "'5' is not a whole number from 100"),
        (["--predictions", "a=perfect.csv", "--cross-fit", "13"], "folds keep groups whole"),
        (["nowhere"], "error: no run nowhere under"),
    ],
)
def test_what_makes_no_sense(
    compare: Command, data: Labelled, models: Path, arguments: list[str], says: str
) -> None:
    done = compare("--data", "labelled.jsonl", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not models.exists()


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("perfect.csv", "", "perfect.csv is empty"),
        ("perfect.csv", "file,line,smell,decision\nx,1,y,TP\n", "none of its rows is of a sample"),
        ("perfect.csv", "file,line,smell,decision\nx,1,y,MAYBE\n", ":2: decision is 'MAYBE'"),
        ("random.csv", "file,line,smell,p_tp\nx,1,y,NaN\n", ":2: p_tp is 'NaN'"),
        ("labelled.jsonl", "{\n", "labelled.jsonl:1: not JSON"),
        ("labelled.jsonl", "", "holds no sample"),
    ],
)
def test_bad_files(
    compare: Command, data: Labelled, models: Path, tmp_path: Path, path: str, text: str, says: str
) -> None:
    (tmp_path / path).write_text(text)
    done = compare(*ARGUMENTS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ") and says in done.stderr
    assert not models.exists(), "nothing half-written"


def test_a_run_without_a_model(compare: Command, data: Labelled, made: MadeRuns) -> None:
    layout = made.run("mine")
    done = compare("mine", *ARGUMENTS)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: mine has no trained model: {layout.final} is missing\n")


def test_a_copied_model_is_in_no_run(
    compare: Command, data: Labelled, made: MadeRuns, tmp_path: Path
) -> None:
    layout = made.run("mine")
    layout.config.write_text(as_yaml(demo_config("encoder", "name=mine")))
    make_final(layout.final, DEMO["train"], DEMO["validation"])
    copied = shutil.copytree(layout.final, tmp_path / "copied")
    done = compare(str(copied), *ARGUMENTS)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {copied} lies in no run, so nothing says how it was")
    assert "--predictions" in done.stderr


def test_all_runs_that_are_none_are_named_at_once(
    compare: Command, data: Labelled, made: MadeRuns
) -> None:
    layout = made.run("mine")
    done = compare("nowhere", "mine", "neither", *ARGUMENTS)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: no run nowhere under ")
    assert lines[1] == f"error: mine has no trained model: {layout.final} is missing"
    assert lines[2].startswith("error: no run neither under ")
    assert (done.returncode, sum(line.startswith("hint: ") for line in lines)) == (1, 2)


@pytest.mark.parametrize("blocked", ["out", "out/report.md"])
def test_a_place_that_cannot_be_written_to(
    compare: Command, data: Labelled, tmp_path: Path, blocked: str
) -> None:
    """It is said before anything is scored: afterwards the last file would fail alone."""
    if blocked == "out":
        (tmp_path / "in-the-way").write_text("")
        done = compare(*ARGUMENTS, "-o", "in-the-way/out")
        assert "in-the-way/out cannot be written to: Not a directory" in done.stderr
    else:
        (tmp_path / blocked).mkdir(parents=True)
        done = compare(*ARGUMENTS, "-o", "out")
        assert "report.md is a directory, where a file is to be written" in done.stderr
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["report.md"]
    assert (done.returncode, done.stdout) == (2, "")
    assert "hint: -o DIR names another place" in done.stderr


def test_the_last_report_stands_until_the_next_is_whole(
    compare: Command, data: Labelled, tmp_path: Path
) -> None:
    assert compare(*ARGUMENTS, "-o", "out").returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "random.csv").write_text("")
    assert compare(*ARGUMENTS, "-o", "out").returncode == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
