"""A finished run is evaluated from its final/ alone, and the report says what it rests on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from iacfilter_hpc.cli.evaluate import main
from iacfilter_hpc.config import layers
from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import DataError, TrainingError, UsageError, counted
from iacfilter_hpc.evaluation.bootstrap import bootstrap_scores
from iacfilter_hpc.evaluation.evaluate import evaluate
from iacfilter_hpc.evaluation.metrics import score
from iacfilter_hpc.evaluation.predict import load_scorer, score_samples
from iacfilter_hpc.evaluation.predictions import Prediction, read_predictions
from iacfilter_hpc.evaluation.results import Evaluation, document
from iacfilter_hpc.evaluation.text import render
from iacfilter_hpc.packing.prefixes import Ids
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout, resource
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.find import Trained, of_run
from iacfilter_hpc.training.approaches.scorer import Logits, batches_within
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


@pytest.fixture(scope="module")
def done(run: RunLayout) -> Evaluation:
    """The first look at the test file, at the run's own threshold."""
    return evaluate(of_run(run), TEST, DEFAULTS)


def looks(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / "looks.jsonl").read_text().splitlines()]


def test_every_sample_is_written_with_its_decision(run: RunLayout, done: Evaluation) -> None:
    directory = run.evaluation / f"test-{sha256_of(TEST)[:8]}"
    assert done.directory == directory
    assert sorted(p.name for p in directory.iterdir()) == ["metrics.json", "predictions.jsonl"]
    rows, samples = read_predictions(directory / "predictions.jsonl"), read_samples(TEST)
    assert [(row.key, row.label, row.group) for row in rows] == [
        (sample.key, sample.label, sample.file) for sample in samples
    ]
    assert {row.threshold for row in rows} == {done.decision.threshold}
    scored, _ = score_samples(load_scorer(run.final), samples)
    assert [row.p_tp for row in rows] == pytest.approx([each.p_tp for each in scored])


def test_metrics_follow_from_the_predictions(done: Evaluation) -> None:
    metrics = json.loads((done.directory / "metrics.json").read_text())
    assert metrics == document(done) and metrics["schema"] == 2
    rows = read_predictions(done.directory / "predictions.jsonl")
    parts = [("overall", None, None)]
    parts += [("by_smell", "smell", name) for name in metrics["by_smell"]]
    parts += [("by_technology", "technology", name) for name in metrics["by_technology"]]
    counts = {"overall": 0, "by_smell": 0, "by_technology": 0}
    for part, field, name in parts:
        chosen = [row for row in rows if field is None or getattr(row, field) == name]
        cell = metrics[part] if name is None else metrics[part][name]
        intervals = cell.pop("intervals")
        assert cell.pop("few_positives") is (cell["support"] < 10)
        assert cell.pop("groups") == len({row.group for row in chosen})
        assert cell.pop("few_groups") is True
        truth, decided = [row.label == "TP" for row in chosen], [is_kept(row) for row in chosen]
        p_tp = [row.p_tp for row in chosen if row.p_tp is not None]
        assert cell == score(truth, decided, p_tp).as_dict()
        groups = [row.group for row in chosen]
        wanted = bootstrap_scores(truth, decided, p_tp, groups).items()
        assert intervals == {key: found and asdict(found) for key, found in wanted}
        counts[part] += cell["samples"]
    assert set(counts.values()) == {len(rows)}


def is_kept(row: Prediction) -> bool:
    return row.decision == "TP"


def test_metrics_say_what_they_rest_on(run: RunLayout, done: Evaluation) -> None:
    metrics = json.loads((done.directory / "metrics.json").read_text())
    decision = done.decision
    assert (metrics["threshold"], metrics["threshold_mode"]) == (decision.threshold, "validation")
    assert metrics["threshold_origin"]["sha256"] == sha256_of(DEMO / "validation.jsonl")
    assert metrics["temperature"] == decision.temperature
    assert (metrics["sha256"], metrics["look"]) == (sha256_of(TEST), 1)
    counts = {"samples": 3, "train": 0, "validation": 0, "near": 0, "related": 0, "calibration": 0}
    flags = {"is_validation_file": False, "is_calibrated": False}
    assert metrics["overlap"] == {**counts, **flags}
    assert (metrics["calibration"], metrics["untouched"]) == (None, None)
    assert metrics["warnings"] == []
    assert metrics["model"] == sha256_of(run.final / "manifest.json")
    assert metrics["looks_log"] == str(run.evaluation / "looks.jsonl")
    assert metrics["predictions_sha256"] == sha256_of(done.directory / "predictions.jsonl")
    f1 = [cell["f1"] for cell in metrics["by_smell"].values()]
    macro = None if None in f1 else pytest.approx(sum(f1) / len(f1))
    assert metrics["macro_f1_by_smell"] == macro
    groups = {"groups": 3, "family": 0, "repo": 0, "file": 3}
    assert metrics["bootstrap"] == {"draws": 2000, "seed": 0, "level": 0.95, **groups}
    made = metrics["provenance"]
    assert made["argv"] == sys.argv and made["versions"]["torch"] == torch.__version__


def test_the_table_says_what_it_rests_on(done: Evaluation) -> None:
    text = render(done)
    lines = text.splitlines()
    assert "Positive class: TP" in text
    assert f"TP if p(TP) >= {done.decision.threshold:.4f}, the best F1" in text
    assert str(DEMO / "validation.jsonl") in text
    assert f"{done.audit.samples - done.audit.technology_from_extension} from the field" in text
    cut = counted(done.audit.samples_cut, "sample")
    assert f"Cut to fit {done.decision.max_length} tokens: {cut} (" in text
    assert "2000 draws (seed 0) of 3 groups kept whole: 3 samples by file." in text
    assert f"Look 1 at this file, in this log: {done.looks_log}" in text
    assert "# fewer than 10 groups: intervals are likely too narrow; fewer than 5: there" in text
    assert "precision there, at recall >= 0.95" in text and "(macro)" in text
    assert "WARNING" not in text
    paths = (str(DEMO), str(done.directory.parent))
    assert max(len(line) for line in lines if not any(path in line for path in paths)) <= 100
    assert lines[2].startswith("all *# "), "three samples are few, and in few groups"
    for cell in (*done.breakdown.by_smell, *done.breakdown.by_technology):
        assert any(line.startswith(f"{cell.name} *# ") for line in lines)
    scores = done.breakdown.overall.scores
    real = next(line for line in lines if line.startswith("real TP"))
    assert real.split()[2:] == [str(scores.tp), str(scores.fn)]


def test_a_threshold_is_not_reported_on_what_it_was_fitted_on(
    run: RunLayout, tmp_path: Path
) -> None:
    """Neither on the file itself, nor on one of its samples in another file."""
    validation = DEMO / "validation.jsonl"
    before = len(looks(run.evaluation)) if run.evaluation.is_dir() else 0
    with pytest.raises(TrainingError) as caught:
        evaluate(of_run(run), validation, DEFAULTS)
    assert caught.value.message == (
        f"{validation} is the validation file that chose this run's threshold; a threshold is "
        "never fitted on the data it is reported on"
    )
    assert "--threshold argmax" in (caught.value.hint or "")
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text(TEST.read_text() + validation.read_text().splitlines()[0] + "\n")
    with pytest.raises(TrainingError, match=r"^1 of 4 samples of .*mixed\.jsonl are among the val"):
        evaluate(of_run(run), mixed, DEFAULTS)
    assert (len(looks(run.evaluation)) if run.evaluation.is_dir() else 0) == before
    done = evaluate(of_run(run), mixed, EvaluateOptions(threshold="argmax"))
    assert done.threshold == 0.5
    text = " ".join(render(done).split())
    assert "WARNING: 1 of 4 samples are among the validation samples" in text
    assert "the temperature of p(TP) was fitted on them" in text


def test_samples_that_trained_the_model_are_called_out(run: RunLayout, tmp_path: Path) -> None:
    mixed, trained = tmp_path / "mixed.jsonl", (DEMO / "train.jsonl").read_text().splitlines()
    mixed.write_text(TEST.read_text() + "\n".join(trained[:2]) + "\n")
    done = evaluate(of_run(run), mixed, DEFAULTS)
    assert done.overlap.train == document(done)["overlap"]["train"] == 2
    assert render(done).splitlines()[1].startswith("WARNING: 2 of 5 samples are among those that ")
    assert len(document(done)["warnings"]) == 1


def test_another_threshold_stands_beside_the_first(run: RunLayout, done: Evaluation) -> None:
    other = evaluate(of_run(run), TEST, EvaluateOptions(threshold=0.999))
    assert other.directory == done.directory.with_name(f"{done.directory.name}-0.999")
    assert {row.decision for row in other.predictions} == {"FP"}
    assert [row.p_tp for row in other.predictions] == [row.p_tp for row in done.predictions]
    metrics = document(other)
    assert (metrics["threshold_mode"], metrics["threshold_origin"]) == ("fixed", None)
    assert "TP if p(TP) >= 0.9990, as --threshold 0.999 asks." in render(other)


def test_every_look_is_logged(run: RunLayout, done: Evaluation, tmp_path: Path) -> None:
    before = [row for row in looks(run.evaluation) if row["sha256"] == done.data.sha256]
    renamed = tmp_path / "renamed.jsonl"
    shutil.copy(TEST, renamed)
    elsewhere = EvaluateOptions(threshold="argmax", output=tmp_path / "out")
    again = evaluate(of_run(run), renamed, elsewhere)
    assert again.look == len(before) + 1
    assert again.directory == tmp_path / "out" / f"renamed-{done.data.sha256[:8]}-argmax"
    last = looks(run.evaluation)[-1]
    assert (last["run"], last["data"], last["samples"]) == ("a-run", str(renamed), 3)
    assert (last["purpose"], last["threshold"]) == ("evaluate", "argmax")
    assert not (tmp_path / "out" / "looks.jsonl").exists()


def test_a_model_with_a_gap_is_not_scored(run: RunLayout, tmp_path: Path) -> None:
    """Without its tokenizer transformers would make one up, and score all samples wrong."""
    moved = RunLayout(tmp_path / "elsewhere")
    shutil.copytree(run.final, moved.final)
    (moved.final / "tokenizer.json").unlink()
    (moved.final / "README.md").write_text("of my own")
    (moved.final / "notes.txt").write_text("not in the manifest")
    with pytest.raises(TrainingError) as caught:
        evaluate(Trained(moved.final, None), TEST, EvaluateOptions(output=tmp_path / "out"))
    assert caught.value.message == f"{moved.final / 'tokenizer.json'} is missing"
    assert caught.value.hint == "copy final/ whole, with every file in it"
    assert not list((tmp_path / "out").rglob("looks.jsonl"))
    with pytest.raises(TrainingError, match=r"tokenizer\.json is missing"):
        load_scorer(moved.final)


@pytest.mark.parametrize("blocked", ["out", "out/test-{}/metrics.json"])
def test_a_place_that_cannot_be_written_to_is_no_look(
    run: RunLayout, done: Evaluation, tmp_path: Path, blocked: str
) -> None:
    before = looks(run.evaluation)
    path = tmp_path / blocked.format(done.data.sha256[:8])
    if blocked == "out":
        path.write_text("a file")
    else:
        path.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"cannot be written to|is a directory, where"):
        evaluate(of_run(run), TEST, EvaluateOptions(output=tmp_path / "out"))
    assert looks(run.evaluation) == before


def test_groups_from_a_file_are_kept_whole(run: RunLayout, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    files = sorted({sample.file for sample in read_samples(TEST)})
    groups.write_text("file,family\n" + "".join(f"{file},one\n" for file in files[:2]))
    done = evaluate(of_run(run), TEST, EvaluateOptions(groups=groups))
    assert (done.group_counts.groups, done.group_counts.family, done.group_counts.file) == (2, 2, 1)
    assert sorted(row.group for row in done.predictions) == sorted(["one", "one", files[2]])
    groups.write_text("file,family\n" + "".join(f"{file},one\n" for file in files))
    alone = evaluate(of_run(run), TEST, EvaluateOptions(groups=groups))
    assert alone.breakdown.overall.intervals["accuracy"] is None, "one group is no sample of groups"


def test_batches_do_not_change_a_score(run: RunLayout) -> None:
    scorer = load_scorer(run.final)
    samples = [*read_samples(DEMO / "train.jsonl"), *read_samples(TEST)]
    one, audit = score_samples(scorer, samples, budget=1)
    many, _ = score_samples(scorer, samples, budget=1200)
    assert [s.p_tp for s in many] == pytest.approx([s.p_tp for s in one], abs=1e-6)
    assert [s.sample for s in many] == samples
    assert sum(s.encoded.tokens_dropped > 0 for s in many) == audit.samples_cut


def test_batches_keep_to_their_budget() -> None:
    rows = [(0,) * length for length in (3, 9, 4, 1, 3, 2)] + [(1, 1)]
    batches = list(batches_within(rows, 9))
    assert [[len(ids) for ids in batch] for batch in batches] == [[9], [4, 3], [3, 2, 2], [1]]
    assert sorted(ids for batch in batches for ids in batch) == sorted(rows)
    one_by_one = [[ids] for ids in sorted(rows, key=lambda ids: (-len(ids), ids))]
    assert list(batches_within(rows, 1)) == one_by_one
    assert list(batches_within([], 9)) == []


def test_prompts_share_what_they_begin_with(
    run: RunLayout, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        scorer = load_scorer(run.final)
    form = "segments" if run.approach == "generative" else "blocks"
    assert scorer.choice.packed == form
    assert f"scoring: packed rows, attention {form}" in caplog.text
    passed: list[int] = []

    def count(_: object, __: object, kwargs: dict[str, torch.Tensor]) -> None:
        passed.append(kwargs["input_ids"].numel())

    body = scorer.model if run.approach == "generative" else scorer.model.base_model
    body.register_forward_pre_hook(count, with_kwargs=True)  # type: ignore[union-attr]
    scored, _ = score_samples(scorer, read_samples(DEMO / "train.jsonl"))
    rows = {row.encoded.ids for row in scored}
    tokens = sum(map(len, rows))
    assert sum(passed) < 0.95 * tokens if run.approach == "generative" else sum(passed) == tokens


def test_the_same_input_is_computed_once(run: RunLayout) -> None:
    scorer = load_scorer(run.final)
    computed: list[Ids] = []

    def counted(rows: Sequence[Ids], budget: int) -> Logits:
        computed.extend(rows)
        return scorer.logits(rows, budget)

    samples = read_samples(TEST)
    once, _ = score_samples(scorer, samples)
    twice, _ = score_samples(replace(scorer, logits=counted), [*samples, *samples])
    assert [row.p_tp for row in twice] == [row.p_tp for row in once] * 2
    assert computed == sorted({row.encoded.ids for row in once})


def test_the_job_prints_the_tables(run: RunLayout, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(DEMO.parents[1]), "HF_HUB_OFFLINE": "1"}
    job = [sys.executable, resource("jobs", "evaluate.py"), "--run-dir", run.directory]
    # an error is the same for both approaches, and each process takes seconds
    if run.approach == "encoder":
        words = [*job, "--data", TEST, "--threshold=0.25"]
        good = subprocess.run(words, env=environment, capture_output=True, text=True)
        assert good.returncode == 0 and "TP if p(TP) >= 0.2500, as --threshold" in good.stdout
        return
    words = [*job, "--data", tmp_path / "none"]
    bad = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert bad.returncode == 1 and "error:" in bad.stderr and "Traceback" not in bad.stderr


def test_the_command_prints_tables_or_one_document(
    run: RunLayout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(run.final), "--data", str(DEMO / "train.jsonl"), "-o", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith("WARNING: 8 of 8 samples are among those that tr")
    assert said.err == ""
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    (folder,) = tmp_path.glob("train-*")
    assert json.loads(said.out) == json.loads((folder / "metrics.json").read_text())
    assert said.err.startswith("warning: 8 of 8 samples are among those that trained the model")


def test_only_final_and_the_base_model_are_needed(
    run: RunLayout, done: Evaluation, tmp_path: Path
) -> None:
    """Moved elsewhere, without checkpoints, configuration or metrics."""
    moved = RunLayout(tmp_path / "elsewhere")
    shutil.copytree(run.final, moved.final)
    shutil.copytree(run.tiny_model, moved.tiny_model)
    copy = Trained(moved.final, None)
    with pytest.raises(UsageError, match="lies in no run, so nothing says where to write"):
        evaluate(copy, TEST, DEFAULTS)
    there = evaluate(copy, TEST, EvaluateOptions(output=tmp_path / "out"))
    assert there.predictions == done.predictions
    assert (there.run, there.look) == ("elsewhere", 1)
    assert there.directory == tmp_path / "out" / done.directory.name
    assert [row["run"] for row in looks(tmp_path / "out")] == ["elsewhere"]


def test_what_is_missing_is_said(run: RunLayout, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="has no finished model"):
        evaluate(of_run(RunLayout(tmp_path)), TEST, DEFAULTS)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(DataError, match="holds no sample"):
        evaluate(of_run(run), empty, DEFAULTS)
    unlabelled = tmp_path / "unlabelled.jsonl"
    fields = json.loads(TEST.read_text().splitlines()[0]) | {"label": None}
    unlabelled.write_text(json.dumps(fields) + "\n")
    with pytest.raises(DataError, match=r"unlabelled\.jsonl:1: field label is null, not TP or FP"):
        evaluate(of_run(run), unlabelled, DEFAULTS)
