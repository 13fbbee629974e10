"""Runs are scored once, looked at each time, and are one system if only their seeds differ."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from iacfilter_hpc.comparison.compare import Comparison, Request, compare
from iacfilter_hpc.comparison.external import PredictionsFile
from iacfilter_hpc.comparison.html import render_html
from iacfilter_hpc.comparison.markdown import render_markdown
from iacfilter_hpc.comparison.text import render as render_text
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.errors import DataError, IacfilterError, TrainingError, UsageError
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.evaluation.evaluate import evaluate
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import write_record
from iacfilter_hpc.samples.sample import read_samples, write_samples
from iacfilter_hpc.trained_model.find import of_run
from iacfilter_hpc.training.run import train
from tests.comparison.made_data import truth_of, write_csv
from tests.made_runs import RECORD
from tests.training.settings import DEMO, TRAINS, run_config

pytestmark = TRAINS

TEST = DEMO / "test.jsonl"
OPTIONS = EvaluateOptions(draws=100)


@dataclass(frozen=True)
class Runs:
    """Two encoders that differ in seed and name, one that differs in more, and a generative one."""

    one: RunLayout
    two: RunLayout
    other: RunLayout
    generative: RunLayout


def make_run(models: Path, name: str, approach: str, **settings: object) -> RunLayout:
    layout = RunLayout(models / approach / name)
    layout.slurm.mkdir(parents=True)
    config = run_config(approach, **settings).model_copy(update={"name": name})
    layout.config.write_text(as_yaml(config))
    data = {f"{part}_file": sha256_of(DEMO / f"{part}.jsonl") for part in ("train", "validation")}
    record = replace(RECORD, run=name, approach=approach, data_sha256=data)
    write_record(layout.record, record)
    train(layout, config)
    return layout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    models = tmp_path_factory.mktemp("models")
    alone = {"accelerate__num_processes": 1, "accelerate__deepspeed_config_file": None}
    return Runs(
        one=make_run(models, "seed-11", "encoder", training__seed=11),
        two=make_run(models, "seed-2", "encoder", training__seed=2),
        other=make_run(models, "slower", "encoder", training__learning_rate=1e-5),
        generative=make_run(models, "answers", "generative", data__max_length=420, **alone),
    )


@pytest.fixture
def made(trained: Runs) -> Iterator[Runs]:
    """The runs, as if nobody had looked at anything."""
    yield trained
    for run in (trained.one, trained.two, trained.other, trained.generative):
        shutil.rmtree(run.evaluation, ignore_errors=True)


def compared(
    *layouts: RunLayout, data: Path = TEST, fresh: bool = False, options: EvaluateOptions = OPTIONS
) -> tuple[Comparison, list[str]]:
    said: list[str] = []
    request = Request(layouts, (), data, options, fresh=fresh)
    return compare(request, {}, said.append), said


def looks(run: RunLayout) -> list[tuple[str, str]]:
    lines = (run.evaluation / "looks.jsonl").read_text().splitlines()
    return [(look["run"], look["purpose"]) for look in map(json.loads, lines)]


def test_both_approaches_and_baselines_side_by_side(made: Runs) -> None:
    done, said = compared(made.one, made.generative, made.two)
    titles = [entry.system.title for entry in done.entries]
    assert titles == ["seed-2 (2 seeds)", "answers", "TF-IDF + LR", "keep all"]
    assert [m.seed for m in done.entries[0].system.members] == [2, 11]
    assert {entry.system.protocol for entry in done.entries} == {"held-out"}
    assert len(done.pairs) == 6 and not done.left_out and not done.warnings
    assert [line.partition(":")[0] for line in said] == ["seed-11", "answers", "seed-2"]
    for member, run in zip(done.entries[0].system.members, (made.two, made.one), strict=True):
        evaluation = evaluate(of_run(run), TEST, OPTIONS)
        assert member.p_tp == tuple(row.p_tp for row in evaluation.predictions)
        assert member.decided == tuple(row.decision == "TP" for row in evaluation.predictions)
        assert member.threshold == evaluation.threshold


def test_more_than_the_seed_is_another_system(made: Runs, tmp_path: Path) -> None:
    done, _ = compared(made.one, made.other)
    assert [e.system.title for e in done.entries[:2]] == ["seed-11", "slower"]
    # the same files elsewhere are the same data, other files are not
    elsewhere = RunLayout(shutil.copytree(made.two.directory, tmp_path / "encoder" / "seed-3"))
    text = elsewhere.config.read_text()
    for name in ("train", "validation"):
        shutil.copy(DEMO / f"{name}.jsonl", tmp_path / f"{name}.jsonl")
        text = text.replace(str(DEMO / f"{name}.jsonl"), str(tmp_path / f"{name}.jsonl"))
    elsewhere.config.write_text(text)
    assert [e.system.title for e in compared(made.one, elsewhere)[0].entries[:1]] == [
        "seed-3 (2 seeds)"
    ]
    record = records.read_record(elsewhere)
    write_record(elsewhere.record, replace(record, data_sha256={"train_file": "another"}))
    done, _ = compared(made.one, elsewhere)
    assert len(done.entries) == 4
    assert done.warnings == (
        "seed-3 was trained or validated on other data than seed-11, whose data TF-IDF + LR "
        "learns from",
    )


def test_an_evaluation_is_used_again_and_counts_as_a_look(made: Runs) -> None:
    evaluate(of_run(made.one), TEST, OPTIONS)
    metrics = next(made.one.evaluation.glob("*/metrics.json"))
    written = metrics.stat().st_mtime_ns
    done, said = compared(made.one)
    assert said == [f"seed-11: decisions of {metrics.parent}"]
    assert metrics.stat().st_mtime_ns == written
    member = done.entries[0].system.first
    assert (member.look, member.source) == (2, f"{metrics.parent}, evaluated before")
    assert looks(made.one) == [("seed-11", "evaluate"), ("seed-11", "compare")]
    assert done.costs[0].scored_samples_per_s is not None
    done, said = compared(made.one, fresh=True)
    assert said == ["seed-11: scoring 3 samples"]
    assert metrics.stat().st_mtime_ns > written
    assert done.entries[0].system.first.look == 3
    assert looks(made.one)[-1] == ("seed-11", "compare"), "one look, though it was scored too"


def test_an_evaluation_of_another_model_or_threshold_is_not_used(made: Runs) -> None:
    _, said = compared(made.one)
    assert said == ["seed-11: scoring 3 samples"]
    at = EvaluateOptions(threshold=0.25, draws=100)
    done, said = compared(made.one, options=at)
    assert said == ["seed-11: scoring 3 samples"]
    assert done.entries[0].system.first.threshold == 0.25
    assert done.entries[1].system.first.threshold == 0.25, "the baseline's too"
    path = next(made.one.evaluation.glob("*/metrics.json"))
    for file in made.one.evaluation.glob("*/metrics.json"):
        path = file if "0.25" not in file.parent.name else path
    fields = json.loads(path.read_text())
    for name, value in (
        ("threshold", 0.123),
        ("temperature", 9.9),
        ("sha256", "another"),
        ("model", "a"),
    ):
        path.write_text(json.dumps({**fields, name: value}))
        assert compared(made.one)[1] == ["seed-11: scoring 3 samples"], name
    assert "decisions of" in compared(made.one)[1][0]
    # copied anew, the model is newer than its evaluation, and still the same
    newer = path.stat().st_mtime + 5
    for file in made.one.final.iterdir():
        os.utime(file, (newer, newer))
    assert "decisions of" in compared(made.one)[1][0]
    manifest = made.one.final / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text + "\n")
    assert compared(made.one)[1] == ["seed-11: scoring 3 samples"], "it is another model"
    manifest.write_text(text)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 2}', "\0\0", ""])
def test_damaged_metrics(made: Runs, text: str) -> None:
    compared(made.one)
    path = next(made.one.evaluation.glob("*/metrics.json"))
    path.write_text(text)
    before = looks(made.one)
    with pytest.raises(DataError) as caught:
        compared(made.one)
    assert str(path) in caught.value.message
    assert "--fresh" in (caught.value.hint or "")
    assert looks(made.one) == before
    assert compared(made.one, fresh=True)[1] == ["seed-11: scoring 3 samples"]


def test_predictions_of_other_samples_beside_good_metrics(made: Runs) -> None:
    compared(made.one)
    path = next(made.one.evaluation.glob("*/predictions.jsonl"))
    path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")
    with pytest.raises(DataError, match="is not of the samples in"):
        compared(made.one)


def test_nothing_is_looked_at_if_anything_is_wrong(made: Runs, tmp_path: Path) -> None:
    """Neither with a bad file of predictions, nor with a second run that cannot be compared."""
    bad = tmp_path / "bad.csv"
    bad.write_text("file,line,smell,decision\n")
    with pytest.raises(DataError):
        compare(
            Request((made.one,), (PredictionsFile("bad", bad),), TEST, OPTIONS), {}, lambda _: None
        )
    validation = DEMO / "validation.jsonl"
    with pytest.raises(TrainingError, match=r"^seed-11: .* chose this run's threshold"):
        compared(made.one, data=validation)
    broken = RunLayout(shutil.copytree(made.two.directory, tmp_path / "encoder" / "broken"))
    broken.config.write_text("approach: [")
    with pytest.raises(IacfilterError, match=r"config\.yaml cannot be read"):
        compared(made.one, broken)
    shutil.rmtree(broken.final)
    with pytest.raises(TrainingError, match=r"^broken: .* has no finished model"):
        compared(made.one, broken)
    assert not made.one.evaluation.exists()


def test_names_must_differ(made: Runs, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run seed-11 is named twice"):
        compared(made.one, made.two, made.one)
    for name in ("seed-11", "keep all", "TF-IDF + LR"):
        request = Request((made.one,), (PredictionsFile(name, tmp_path),), TEST, OPTIONS)
        with pytest.raises(UsageError, match="another system has this name"):
            compare(request, {}, lambda _: None)


def test_samples_that_a_run_knows_are_called_out(made: Runs, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.jsonl"
    train_lines = (DEMO / "train.jsonl").read_text().splitlines()
    mixed.write_text(TEST.read_text() + train_lines[0] + "\n")
    done, _ = compared(made.one, data=mixed)
    assert [warning.partition(":")[0] for warning in done.warnings] == ["seed-11", "TF-IDF + LR"]
    assert "1 of 4 samples are among those that trained the model" in done.warnings[0]
    protocols = [entry.system.protocol for entry in done.entries]
    assert protocols == ["seen", "seen", "held-out"], "TF-IDF learned from that sample too"
    again, said = compared(made.one, data=mixed)
    assert "decisions of" in said[0] and again.entries[0].system.protocol == "seen"


def test_all_runs_that_are_broken_are_named(made: Runs, tmp_path: Path) -> None:
    """With the bad file of predictions beside them; nothing is scored, and no look is logged."""
    broken = []
    for name in ("first", "second"):
        run = RunLayout(shutil.copytree(made.two.directory, tmp_path / "encoder" / name))
        run.config.write_text("approach: [")
        broken.append(run)
    bad = tmp_path / "bad.csv"
    bad.write_text("file,line,smell,decision\nx,y,z,TP\n")
    compared(made.other)
    metrics = next(made.other.evaluation.glob("*/metrics.json"))
    metrics.write_text("{")
    before = looks(made.other)
    request = Request(
        (made.one, broken[0], made.other, broken[1]), (PredictionsFile("bad", bad),), TEST, OPTIONS
    )
    with pytest.raises(IacfilterError) as caught:
        compare(request, {}, lambda _: None)
    lines = caught.value.message.splitlines()
    for place in (f"{bad}:2", str(broken[0].config), str(metrics), str(broken[1].config)):
        assert any(line.startswith(place) for line in lines), place
    assert "--fresh" in (caught.value.hint or "")
    assert looks(made.other) == before and not made.one.evaluation.exists()


def test_a_cross_fit_that_cannot_be_is_refused_first(made: Runs) -> None:
    with pytest.raises(UsageError, match="--cross-fit 4: folds keep groups whole"):
        compared(made.one, options=EvaluateOptions(cross_fit=4))
    assert not made.one.evaluation.exists()


def test_nothing_is_looked_at_before_all_is_ready(made: Runs) -> None:
    """Where the report cannot be written, for one."""

    def refuse(data: Labelled) -> None:
        raise UsageError(f"no place for {data.path.name}")

    with pytest.raises(UsageError, match=r"no place for test\.jsonl"):
        compare(Request((made.one,), (), TEST, OPTIONS), {}, lambda _: None, refuse)
    assert not made.one.evaluation.exists()


def test_a_train_file_that_is_gone(made: Runs, tmp_path: Path) -> None:
    moved = RunLayout(shutil.copytree(made.two.directory, tmp_path / "encoder" / "moved"))
    text = moved.config.read_text()
    moved.config.write_text(text.replace(str(DEMO / "train.jsonl"), "/nowhere/train.jsonl"))
    done, _ = compared(moved)
    assert [entry.system.name for entry in done.entries] == ["moved", "keep all"]
    assert done.left_out == (
        "TF-IDF + LR: /nowhere/train.jsonl, which moved was trained with, is gone",
    )


@pytest.fixture
def families(tmp_path: Path) -> Path:
    """Samples of eight families that no run has seen, both labels in each."""
    path = tmp_path / "families.jsonl"
    samples = [
        replace(sample, file=f"{family}/{sample.file}", family=family)
        for family in "abcdefgh"
        for sample in read_samples(TEST)
    ]
    write_samples(path, samples)
    return path


def test_cross_fits_are_marked_and_used_again(made: Runs, families: Path, tmp_path: Path) -> None:
    options = EvaluateOptions(draws=100, seed=3, cross_fit=2)
    evaluate(of_run(made.one), families, EvaluateOptions(draws=100))
    done, said = compared(made.one, data=families, options=options)
    assert said == ["seed-11: scoring 24 samples"], "the plain evaluation is another thing"
    run, _, folds, floor = done.entries
    assert run.system.title == "seed-11 (cross-fit)"
    assert folds.system.title == "TF-IDF + LR, folds (cross-fit)"
    assert floor.system.protocol == "held-out"
    assert (run.system.first.threshold, run.system.first.temperature) == (None, None)
    assert run.system.first.threshold_origin == "inner folds of 2 folds, seed 3"
    anyone = replace(options, seed=None)
    again, said = compared(made.one, data=families, options=anyone)
    (folder,) = made.one.evaluation.glob("*-cross-fit-*")
    assert folder.name.endswith("-cross-fit-2-seed-3")
    assert said == [f"seed-11: decisions of {folder}, a cross-fit with seed 3"]
    assert again.entries[0].system.first.threshold_origin == "inner folds of 2 folds, seed 3"
    assert again.entries[0].system.first.p_tp == run.system.first.p_tp
    groups = tmp_path / "groups.csv"
    files = {sample.file for sample in read_samples(families)}
    rows = [f"{file},{'aabbccdd'['abcdefgh'.index(file[0])]}" for file in files]
    groups.write_text("\n".join(["file,family", *rows]) + "\n")
    said = compared(made.one, data=families, options=replace(options, groups=groups))[1]
    assert said == ["seed-11: scoring 24 samples"], "its folds kept other groups whole"
    asked, said = compared(made.one, data=families, options=replace(options, seed=4))
    assert said == ["seed-11: scoring 24 samples"], "of another seed than is asked for"
    assert asked.entries[0].system.first.fold_seed == 4
    last = json.loads((made.one.evaluation / "looks.jsonl").read_text().splitlines()[-1])
    assert (last["cross_fit"], last["seed"], last["groups_sha256"]) == (2, 4, None)
    for text in (render_text(done), render_markdown(done), render_html(done)):
        assert "the models of different folds" in " ".join(text.split())


def test_others_beside_runs(made: Runs, tmp_path: Path) -> None:
    data = read_labelled(TEST)
    perfect = write_csv(
        tmp_path / "p.csv", data, "decision", lambda _, real: "TP" if real else "FP"
    )
    request = Request((made.one,), (PredictionsFile("perfect", perfect),), TEST, OPTIONS)
    done = compare(request, {}, lambda _: None)
    assert [e.system.name for e in done.entries] == [
        "seed-11",
        "perfect",
        "TF-IDF + LR",
        "keep all",
    ]
    assert done.entries[1].breakdown.overall.first["f1"] == 1
    assert list(done.entries[1].system.first.decided) == truth_of(data.samples)
    assert [cost.name for cost in done.costs] == ["seed-11", "perfect", "TF-IDF + LR", "keep all"]
