"""A cross-fitted evaluation is marked as such, and refuses samples that the run knows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from iacfilter_hpc.config.evaluate_options import EvaluateOptions, as_flags
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.errors import TrainingError, UsageError
from iacfilter_hpc.evaluation.evaluate import evaluate
from iacfilter_hpc.evaluation.results import document
from iacfilter_hpc.evaluation.text import render
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import write_record
from iacfilter_hpc.samples.sample import read_samples, write_samples
from iacfilter_hpc.trained_model.find import Trained, of_run
from iacfilter_hpc.training.run import train
from tests.cli.commands import iacfilter
from tests.made_runs import RECORD
from tests.training.settings import DEMO, TRAINS, run_config

pytestmark = TRAINS


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunLayout]:
    layout = RunLayout(tmp_path_factory.mktemp("models") / "encoder" / "a-run")
    layout.directory.mkdir(parents=True)
    config = run_config("encoder", data__input_fields=["smell", "content"])
    layout.config.write_text(as_yaml(config))
    layout.slurm.mkdir()
    data = {"train_file": sha256_of(config.data.train_file)}
    write_record(layout.record, replace(RECORD, run="a-run", data_sha256=data))
    train(layout, config)
    yield layout


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Samples of eight families that the run has not seen, both labels in each."""
    path = tmp_path / "fresh.jsonl"
    samples = [
        replace(sample, file=f"{family}/{sample.file}", family=family)
        for family in "abcdefgh"
        for sample in read_samples(DEMO / "test.jsonl")
    ]
    write_samples(path, samples)
    return path


def test_it_is_marked_everywhere(run: RunLayout, fresh: Path) -> None:
    done = evaluate(of_run(run), fresh, EvaluateOptions(cross_fit=2, draws=100))
    assert done.directory.name.endswith("-cross-fit-2-seed-0")
    written = json.loads((done.directory / "metrics.json").read_text())
    assert written == json.loads(json.dumps(document(done)))
    assert done.cross_fit is not None
    assert written["cross_fit"] == json.loads(json.dumps(asdict(done.cross_fit)))
    assert (written["threshold_mode"], written["threshold"]) == ("cross-fit", None)
    text = render(done)
    assert "CROSS-FIT" in text and "Fold 2: " in text and "4 inner folds chose" in text
    assert "the models of different folds" in " ".join(text.split())
    look = json.loads((run.evaluation / "looks.jsonl").read_text().splitlines()[-1])
    assert (look["cross_fit"], look["seed"], look["threshold"]) == (2, 0, "cross-fit")
    assert look["model"] == written["model"] == sha256_of(run.final / "manifest.json")
    thresholds = {each.threshold for each in done.predictions}
    assert thresholds == {choice.threshold for choice in done.cross_fit.choices}
    by_family: dict[str, set[float | None]] = {}
    for each in done.predictions:
        by_family.setdefault(each.group, set()).add(each.threshold)
    assert all(len(of_one) == 1 for of_one in by_family.values()), "families stay whole"
    plain = evaluate(of_run(run), fresh, EvaluateOptions(draws=100))
    assert document(plain)["cross_fit"] is None and "CROSS-FIT" not in render(plain)
    assert "different folds" not in render(plain)


@pytest.mark.parametrize("name", ["train", "validation"])
def test_samples_that_the_run_knows_are_refused(run: RunLayout, name: str) -> None:
    with pytest.raises(TrainingError, match="cross-fitting starts from its weights"):
        evaluate(of_run(run), DEMO / f"{name}.jsonl", EvaluateOptions(cross_fit=2))


def test_a_copy_has_no_configuration(run: RunLayout, fresh: Path, tmp_path: Path) -> None:
    copy = Trained(run.final, None)
    options = EvaluateOptions(cross_fit=2, output=tmp_path / "out")
    with pytest.raises(UsageError, match="--cross-fit needs a run's configuration"):
        evaluate(copy, fresh, options)
    assert not (tmp_path / "out").exists()


def test_folds_that_cannot_be_are_refused_before_any_look(
    run: RunLayout, fresh: Path, tmp_path: Path
) -> None:
    elsewhere = RunLayout(shutil.copytree(run.directory, tmp_path / "encoder" / "new"))
    shutil.rmtree(elsewhere.evaluation, ignore_errors=True)
    with pytest.raises(UsageError, match="--cross-fit 9: folds keep groups whole"):
        evaluate(of_run(elsewhere), fresh, EvaluateOptions(cross_fit=9))
    assert not elsewhere.evaluation.exists()


def test_stdout_is_one_document_whatever_libraries_print(
    run: RunLayout, fresh: Path, tmp_path: Path
) -> None:
    """DeepSpeed logs to stdout when the first Trainer is made."""
    place = str(run.directory)
    done = iacfilter(
        *("evaluate", place, "--data", str(fresh), "--cross-fit", "2"),
        *("-o", str(tmp_path), "--draws", "100", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["threshold_mode"] == "cross-fit"
    assert "fold 2 of 2" in done.stderr


def test_the_threshold_is_not_a_persons_choice() -> None:
    assert as_flags(EvaluateOptions(cross_fit=5)) == ["--cross-fit=5"]
    for folds in ("1", "many", "-2"):
        assert iacfilter("evaluate", "x", "--data=y", f"--cross-fit={folds}").returncode == 2
