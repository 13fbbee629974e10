"""iacfilter-calibrate: what it prints, and what it refuses with nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.cli.labels.calibrate import main
from iacfilter_hpc.samples.sample import write_samples
from iacfilter_hpc.trained_model.calibration import FILE
from iacfilter_hpc.trained_model.evidence import seen_of, write_seen
from tests.samples.made import numbered
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS

pytestmark = TRAINS


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models") / "mine"
    final = make_encoder_final(folder / "final")
    write_seen(final, seen_of(numbered(500, 6), []))
    write_manifest(final)
    write_samples(folder / "labelled.jsonl", numbered(0, 40))
    write_samples(folder / "few.jsonl", numbered(0, 6))
    return folder


def run(model: Path, *words: str) -> int:
    return main([str(model), *words])


def test_it_tells_what_was_chosen_and_how_good_it_is(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, "--data", str(model / "labelled.jsonl")) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "Calibrated mine on 40 samples of 40 families (26 TP, 14 FP)"
    assert lines[1].startswith("  form       ")
    assert lines[2].startswith("  threshold  TP if p(TP) >= 0.")
    assert "as it was trained" in said.out and "F1" in said.out
    assert [line for line in lines if line.startswith("  fold ")][4].startswith("  fold 5 chose ")
    assert f"Written: {model / 'final' / FILE}" in said.out
    assert run(model, "--data", str(model / "labelled.jsonl"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == 1 and told["run"] == "mine"
    assert told["labels"] and {"f1", "mcc"} <= set(told["folds"]["figures"])
    assert "held_out" not in told and "seen" not in told
    assert run(model, "--remove") == 0
    assert capsys.readouterr().out == "mine: calibration removed\n"
    assert run(model, "--remove", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "run": "mine", "removed": False}


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        ((), 2, "--remove and --data exclude each other, and one of them is needed"),
        (("--remove", "--data", "x"), 2, "--remove and --data exclude each other"),
        (("--data", "gone.jsonl"), 2, "--data gone.jsonl is not a file"),
        (("--data", "few.jsonl", "--groups", "gone.csv"), 2, "--groups gone.csv is not a file"),
        (("--data", "few.jsonl"), 1, "4 samples labelled TP, and a calibration needs 10"),
        (("--data", "labelled.jsonl", "--folds", "1"), 2, "--folds 1: it takes 2 to 40 here"),
        (("other", "--remove"), 2, "--remove takes one run, not 2"),
    ],
)
def test_wrong_requests_are_told(
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    problem: str,
) -> None:
    monkeypatch.chdir(model)
    assert run(model, *words) == code
    said = capsys.readouterr()
    assert said.out == "" and problem in said.err and said.err.startswith("error: ")
    assert not (model / "final" / FILE).exists()


def test_users_add_functions(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "functions.yaml"
    path.write_text(
        "functions:\n- {name: mine, about: Mine., vote: TP, content: '[a-m]', smells: [any]}\n"
    )
    data = str(model / "labelled.jsonl")
    assert run(model, "--data", data, "--functions", str(path)) == 0
    assert run(model, "--remove") == 0
    path.write_text("functions:\n- {name: mine, about: Mine., vote: TP, content: '['}\n")
    assert run(model, "--data", data, "--functions", str(path)) == 1
    assert not (model / "final" / FILE).exists()
