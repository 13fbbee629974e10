"""Finished runs of an earlier version: state, logs, predictions, scores and filtered report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from iacfilter_hpc.cli import compare, evaluate, logs, status
from iacfilter_hpc.cli.judging import filter
from iacfilter_hpc.evaluation.predictions import Prediction, read_predictions
from iacfilter_hpc.gpu_memory.recorded_peaks import UNCORRECTED, correction
from iacfilter_hpc.runs.layout import RunLayout
from tests.cli.commands import iacfilter
from tests.fake_slurm import FakeSlurm
from tests.filtering.unguarded import unguarded
from tests.training.settings import DEMO, TRAINS

pytestmark = TRAINS
TEST = DEMO / "test.jsonl"
THEIRS = "test-ea90eb09"


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_their_state(
    encoder: RunLayout,
    generative: RunLayout,
    fake_slurm: FakeSlurm,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Job 43, an evaluation of the encoder, is still queued."""
    fake_slurm.queue(("43", "encoder", "PENDING"))
    assert status.main(["--json"]) == 0
    runs = {run["run"]: run for run in document(capsys)["runs"]}
    assert set(runs) == {"encoder", "generative"}
    keys = ("approach", "job_id", "executor", "state", "nodes")
    assert [runs["generative"][key] for key in keys] == [
        *("generative", "42", "slurm", "COMPLETED", "gpu1")
    ]
    record = json.loads(generative.record.read_text())
    assert runs["generative"]["created_at"] == record["created_at"]
    assert re.fullmatch(r"0:[1-5]\d", runs["generative"]["elapsed"])
    assert (runs["encoder"]["job_id"], runs["encoder"]["state"]) == ("43", "PENDING")
    told = {name: run["progress"] for name, run in runs.items()}
    assert [told["encoder"][key] for key in ("step", "max_steps", "f1")] == [8, 8, 0.5]
    assert [told["generative"][key] for key in ("step", "max_steps", "f1")] == [4, 4, 1.0]
    assert told["generative"]["loss"] == pytest.approx(14.5264, abs=1e-4)


def test_their_logs(
    generative: RunLayout, no_slurm: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logs.main(["generative", "--json"]) == 0
    found = document(capsys)
    assert (found["job_id"], found["attempt"]) == ("42", "42")
    assert found["files"] == [str(generative.slurm / f"42_0_log.{end}") for end in ("out", "err")]
    text = iacfilter("logs", "generative").stdout  # by tail, in this command's place
    assert "distributed: DEEPSPEED zero2, gloo, 2 processes" in text


def their_predictions(layout: RunLayout) -> list[Prediction]:
    return read_predictions(layout.evaluation / THEIRS / "predictions.jsonl")


def flat(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores, and the intervals within them beside them."""
    intervals = scores.pop("intervals")
    return {**scores, **{f"interval of {name}": interval for name, interval in intervals.items()}}


@pytest.mark.parametrize("run", ["encoder", "generative"])
def test_their_models_score_as_they_did(
    run: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    layout: RunLayout = request.getfixturevalue(run)
    theirs = their_predictions(layout)
    assert evaluate.main([run, "--data", str(TEST), "-o", str(tmp_path / "again")]) == 0
    (folder,) = (tmp_path / "again").glob("*/")
    ours = read_predictions(folder / "predictions.jsonl")
    # p(TP) of this encoder lies within 2e-6
    closely = 1e-7 if run == "encoder" else 1e-5
    assert [row.p_tp for row in ours] == pytest.approx([row.p_tp for row in theirs], abs=closely)
    assert [(row.key, row.decision, row.threshold) for row in ours] == [
        (row.key, row.decision, row.threshold) for row in theirs
    ]
    again, before = (
        json.loads((at / "metrics.json").read_text()) for at in (folder, layout.evaluation / THEIRS)
    )
    assert flat(again["overall"]) == pytest.approx(flat(before["overall"]), abs=1e-5)
    assert again["macro_f1_by_smell"] == pytest.approx(before["macro_f1_by_smell"])
    assert before.keys() <= again.keys()
    assert again.keys() - before.keys() == {"calibration", "untouched"}, "what is new is told apart"
    assert len((layout.evaluation / "looks.jsonl").read_text().splitlines()) == 2


def test_a_report_is_filtered_as_it_was(
    encoder: RunLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["report/glitch.csv", "--scripts", "report/scripts", "--annotate", "-o", "again.csv"]
    assert filter.main(["--model", "encoder", *words, *unguarded()]) == 0
    theirs, ours = (
        [line.rpartition(",") for line in Path(path).read_text().splitlines()]
        for path in ("report/filtered.csv", "again.csv")
    )
    # a reason names the table of smells, which has grown
    assert [row for row, _, _ in ours] == [
        row.replace("the nine smells", "GLITCH's 43 rules") for row, _, _ in theirs
    ]
    # written with six digits
    assert [float(p or -1) for *_, p in ours] == pytest.approx(
        [float(p or -1) for *_, p in theirs], abs=1.1e-6
    )


def test_their_evaluations_are_compared(
    encoder: RunLayout, generative: RunLayout, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what they have scored, and by the files of it as predictions of another system."""
    file = encoder.evaluation / THEIRS / "predictions.jsonl"
    words = ["encoder", "generative", "--data", str(TEST), "--draws", "200", "--json"]
    assert compare.main([*words, "--predictions", f"kept={file}"]) == 0
    said = capsys.readouterr()
    for layout in (encoder, generative):
        assert f"{layout.name}: decisions of {layout.evaluation / THEIRS}\n" in said.err
    systems = {each["name"]: each["overall"] for each in json.loads(said.out)["systems"]}
    for name, layout in (("encoder", encoder), ("generative", generative), ("kept", encoder)):
        theirs = json.loads((layout.evaluation / THEIRS / "metrics.json").read_text())["overall"]
        for score in ("f1", "precision", "recall", "average_precision", "fp_reduction"):
            assert systems[name][score]["mean"] == pytest.approx(theirs[score]), (name, score)


def test_their_memory_says_nothing_of_others(encoder: RunLayout) -> None:
    """Runs on CPU have recorded no peak."""
    assert correction(encoder.directory.parents[1], "encoder", "tiny") == UNCORRECTED
