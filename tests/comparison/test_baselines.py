"""The baselines: fixed, deterministic, and fitted on nothing but the runs' own data."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iacfilter_hpc.comparison.baselines import Splits, build_pipeline, keep_all, read_splits, tfidf
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.records import RunRecord
from iacfilter_hpc.samples.sample import Sample, read_samples
from iacfilter_hpc.training.calibrate import choose_threshold
from tests.comparison.made_data import truth_of, write_samples
from tests.made_runs import DEMO, RECORD, demo_config


@pytest.fixture
def splits(tmp_path: Path) -> Splits:
    train = write_samples(tmp_path / "train.jsonl", 50).samples
    validation = write_samples(tmp_path / "validation.jsonl", 30)
    return Splits("a-run", train, validation.samples, validation.sha256)


def data_of(*samples: Sample) -> Labelled:
    return Labelled(Path("/data/labelled.jsonl"), "d" * 64, samples)


def test_keep_all_keeps_all(splits: Splits) -> None:
    made = keep_all(splits.train)
    assert made.system.first.decided == (True,) * 50
    assert made.system.first.p_tp is None and made.cost.trained_parameters == 0


def test_tfidf_reads_smell_technology_and_content_only(splits: Splits) -> None:
    sample = splits.validation[0]
    unseen = ("file", "with_context", "with_prompt", "source", "repo", "family")
    others = [replace(sample, **{name: "something else"}) for name in unseen]  # type: ignore[arg-type]
    seen = ("smell", "technology", "content")
    changed = [replace(sample, **{name: "something else"}) for name in seen]  # type: ignore[arg-type]
    made = tfidf(splits, data_of(sample, *others, *changed), "validation").system.first
    assert made.p_tp is not None
    assert len(set(made.p_tp[:7])) == 1
    assert all(p != made.p_tp[0] for p in made.p_tp[7:])


def test_its_threshold_is_chosen_on_the_validation_samples(splits: Splits) -> None:
    made = tfidf(splits, data_of(*splits.train), "validation").system.first
    texts = [[f"{s.smell} {s.technology} {s.content}" for s in part] for part in (splits.train,)]
    pipeline = build_pipeline().fit(texts[0], truth_of(splits.train))
    held_out = [f"{s.smell} {s.technology} {s.content}" for s in splits.validation]
    p_tp = pipeline.predict_proba(held_out)[:, 1]
    chosen = choose_threshold(p_tp, truth_of(splits.validation))
    assert made.threshold == chosen.value
    assert made.threshold_origin == (f"best F1 ({chosen.f1:.3f}) on the validation data of a-run")
    np.testing.assert_allclose(made.p_tp, pipeline.predict_proba(texts[0])[:, 1])


def test_or_is_what_was_asked_for(splits: Splits) -> None:
    assert tfidf(splits, data_of(*splits.train), "argmax").system.first.threshold == 0.5
    fixed = tfidf(splits, data_of(*splits.train), 0.9).system.first
    assert fixed.threshold == 0.9 and fixed.p_tp is not None
    assert fixed.decided == tuple(p >= 0.9 for p in fixed.p_tp)


def test_it_is_the_same_every_time(splits: Splits) -> None:
    one, two = (tfidf(splits, data_of(*splits.train), "validation") for _ in range(2))
    assert one.system == two.system
    assert one.cost.trained_parameters == two.cost.trained_parameters
    assert one.cost.scored_samples_per_s is not None and one.cost.clock == "measured here"


@pytest.fixture
def copied(tmp_path: Path) -> tuple[RunRecord, RunConfig]:
    """A run that was trained on files which can be changed."""
    files = {name: tmp_path / f"{name}.jsonl" for name in ("train", "validation")}
    for name, path in files.items():
        shutil.copy(DEMO[name], path)
    config = demo_config("encoder", *(f"data.{n}_file={p}" for n, p in files.items()))
    data = {f"{name}_file": sha256_of(path) for name, path in files.items()}
    return replace(RECORD, run="mine", data_sha256=data), config


def test_splits_are_those_of_the_record(copied: tuple[RunRecord, RunConfig]) -> None:
    found = read_splits("mine", *copied)
    assert found == Splits(
        "mine",
        tuple(read_samples(DEMO["train"])),
        tuple(read_samples(DEMO["validation"])),
        sha256_of(DEMO["validation"]),
    )


def test_what_it_has_learned_from_is_no_test(splits: Splits) -> None:
    known = tfidf(splits, data_of(*splits.train[:5]), "argmax").system
    assert known.protocol == "seen"
    assert known.first.warnings[0].startswith("5 of 5 samples are among those that trained")
    new = replace(splits.train[0], file="new.pp", content="a line of its own")
    assert tfidf(splits, data_of(new), "argmax").system.protocol == "held-out"


def test_splits_that_are_gone_or_changed(copied: tuple[RunRecord, RunConfig]) -> None:
    _, config = copied
    train, validation = config.data.train_file, config.data.validation_file
    validation.write_text(validation.read_text() + "\n")
    assert read_splits("mine", *copied) == f"{validation} is not what it was when mine was trained"
    train.unlink()
    assert read_splits("mine", *copied) == f"{train}, which mine was trained with, is gone"
