"""A finished run is evaluated from its final/ alone, and the report says what it rests on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from iacfilter_hpc import layers
from iacfilter_hpc.config import RunConfig
from iacfilter_hpc.detections.samples import read_samples, sha256_of
from iacfilter_hpc.errors import DataError, TrainingError
from iacfilter_hpc.evaluation.predict import load_scorer, predict
from iacfilter_hpc.evaluation.report import document, evaluate, render
from iacfilter_hpc.layout import RunLayout, resource
from iacfilter_hpc.training.run import train

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]

DEMO = resource("configs", "demo")
TEST = DEMO / "test.jsonl"
ALONE = {"accelerate.num_processes": 1, "accelerate.deepspeed_config_file": None}


@pytest.fixture(scope="module", params=["generative", "encoder"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    torch.set_num_threads(1)
    approach = request.param
    settings = {
        "data.train_file": str(DEMO / "train.jsonl"),
        "data.validation_file": str(DEMO / "validation.jsonl"),
        **(ALONE | {"data.max_length": 420} if approach == "generative" else {}),
    }
    shipped = [resource("configs", f"{approach}{suffix}.yaml") for suffix in ("", "-tiny")]
    made = layers.merge(
        [layers.from_file(path) for path in shipped]
        + [layers.from_value(key, value, "test") for key, value in settings.items()]
    )
    layout = RunLayout(tmp_path_factory.mktemp("models") / approach / "a-run")
    layout.directory.mkdir(parents=True)
    train(layout, RunConfig.model_validate(made.values))
    return layout


def test_evaluation_is_written_and_shown(run: RunLayout) -> None:
    done = evaluate(run, TEST)
    directory = run.evaluation / f"test-{sha256_of(TEST)[:8]}"
    assert done.directory == directory
    assert sorted(p.name for p in directory.iterdir()) == ["metrics.json", "predictions.jsonl"]
    metrics = json.loads((directory / "metrics.json").read_text())
    assert metrics == document(done) and metrics["schema"] == 1
    rows = [json.loads(line) for line in (directory / "predictions.jsonl").read_text().splitlines()]
    samples = read_samples(TEST)
    assert [(row["file"], row["line"], row["label"]) for row in rows] == [
        (sample.file, sample.line, sample.label) for sample in samples
    ]
    assert [row["decision"] == "TP" for row in rows] == [
        row["p_tp"] >= metrics["threshold"] for row in rows
    ]
    overall = metrics["overall"]
    assert overall["samples"] == len(samples)
    assert sum(group["samples"] for group in metrics["by_smell"].values()) == len(samples)
    assert sum(group["samples"] for group in metrics["by_technology"].values()) == len(samples)


def test_report_says_what_it_rests_on(run: RunLayout) -> None:
    done = evaluate(run, TEST)
    text = render(done)
    assert "Positive class: TP" in text
    assert f"TP if p(TP) >= {done.decision.threshold:.4f}, the best F1" in text
    assert str(DEMO / "validation.jsonl") in text
    assert f"{done.audit.samples - done.audit.technology_from_extension} from the field" in text
    assert f"Cut to fit {done.decision.max_length} tokens: {done.audit.samples_cut} samples" in text
    assert max(map(len, text.splitlines()[2:9])) <= 100
    for group in (*done.by_smell, *done.by_technology):
        assert group.name in text


def test_batches_do_not_change_a_decision(run: RunLayout) -> None:
    scorer = load_scorer(run.final)
    samples = [*read_samples(DEMO / "train.jsonl"), *read_samples(TEST)]
    one, audit = predict(scorer, samples, batch_size=1)
    many, _ = predict(scorer, samples, batch_size=8)
    assert [p.p_tp for p in many] == pytest.approx([p.p_tp for p in one], abs=1e-5)
    assert [p.index for p in many] == list(range(len(samples)))
    assert sum(p.tokens_dropped > 0 for p in many) == audit.samples_cut


def test_the_job_prints_the_table(run: RunLayout, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(DEMO.parents[1]), "HF_HUB_OFFLINE": "1"}
    job = [sys.executable, resource("jobs", "evaluate.py"), "--run-dir", run.directory]
    good = subprocess.run([*job, "--data", TEST], env=environment, capture_output=True, text=True)
    assert good.returncode == 0 and "Positive class: TP" in good.stdout
    if run.approach == "encoder":
        return  # an error is the same for both
    bad = subprocess.run(
        [*job, "--data", tmp_path / "none"], env=environment, capture_output=True, text=True
    )
    assert bad.returncode == 1 and "error:" in bad.stderr and "Traceback" not in bad.stderr


def test_only_final_and_the_base_model_are_needed(run: RunLayout, tmp_path: Path) -> None:
    """Moved elsewhere, without checkpoints, configuration or metrics."""
    moved = RunLayout(tmp_path / "elsewhere")
    shutil.copytree(run.final, moved.final)
    shutil.copytree(run.tiny_model, moved.tiny_model)
    samples = read_samples(TEST)
    here, there = (predict(load_scorer(each.final), samples)[0] for each in (run, moved))
    assert here == there


def test_what_is_missing_is_said(run: RunLayout, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="has no finished model"):
        evaluate(RunLayout(tmp_path), TEST)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(DataError, match="holds no sample"):
        evaluate(run, empty)
