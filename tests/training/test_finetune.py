"""Training goes on from a finished run's weights, scores held-out samples, and keeps nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.evaluation.predict import load_scorer, score_samples
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.training.finetune import fine_tune
from iacfilter_hpc.training.run import train
from tests.training.settings import DEMO, TRAINS, run_config

pytestmark = TRAINS

TRAIN, TEST = (read_samples(DEMO / f"{name}.jsonl") for name in ("train", "test"))


def settings_of(approach: str) -> RunConfig:
    if approach == "encoder":
        return run_config(approach, data__input_fields=["smell", "content"])
    alone = {"accelerate__num_processes": 1, "accelerate__deepspeed_config_file": None}
    return run_config(approach, data__max_length=420, **alone)


@pytest.fixture(scope="module", params=["encoder", "generative"])
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunLayout, RunConfig]:
    config = settings_of(request.param)
    layout = RunLayout(tmp_path_factory.mktemp(request.param) / "run")
    layout.directory.mkdir()
    train(layout, config)
    return layout, config


def digests(layout: RunLayout) -> dict[str, str]:
    return {
        str(path.relative_to(layout.directory)): sha256_of(path)
        for path in sorted(layout.directory.rglob("*"))
        if path.is_file()
    }


def test_no_epoch_scores_what_final_scores(finished: tuple[RunLayout, RunConfig]) -> None:
    layout, config = finished
    (found,) = fine_tune(layout, config, TRAIN, TEST, (0,), seed=1)
    scorer = load_scorer(layout.final)
    scored, _ = score_samples(scorer, TEST)
    odds = [logit(each.p_tp) * scorer.decision.temperature for each in scored]
    assert found == pytest.approx(odds, abs=1e-4)


def test_training_goes_on_and_touches_nothing(
    finished: tuple[RunLayout, RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    layout, config = finished
    before = digests(layout)
    own = read_samples(DEMO / "test.jsonl")
    start, end = fine_tune(layout, config, own, own, (0, 60), seed=1)
    assert digests(layout) == before
    assert capsys.readouterr().out == ""
    signs = np.array([1 if sample.label == "TP" else -1 for sample in own])
    # what was trained on is learned: the margins grow, and every one is right
    assert (signs * end).min() > max(0, (signs * start).min())


def test_the_same_seed_trains_the_same(finished: tuple[RunLayout, RunConfig]) -> None:
    layout, config = finished
    first, again = (fine_tune(layout, config, TRAIN, TEST, (2,), seed=5) for _ in range(2))
    assert first == again


def test_a_moved_run_is_enough(finished: tuple[RunLayout, RunConfig], tmp_path: Path) -> None:
    """Only final/ and the base model are read."""
    layout, config = finished
    moved = RunLayout(tmp_path / "moved")
    moved.directory.mkdir()
    for name in ("final", "tiny-model"):
        (moved.directory / name).symlink_to(layout.directory / name)
    here, there = (fine_tune(each, config, TRAIN, TEST, (1,), seed=2) for each in (layout, moved))
    assert here == there
