"""Training record of a model: counts, scores, recall with its bound, and the text it knows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import beta

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.calibration import write_calibration
from iacfilter_hpc.trained_model.evidence import ValidationScores
from iacfilter_hpc.trained_model.known_labels import find_scores
from iacfilter_hpc.trained_model.known_text import known_text, usual_of
from iacfilter_hpc.trained_model.recall import lower_bound, recalls, share_at_least, tries_for
from iacfilter_hpc.trained_model.trained_on import (
    ScoredLabel,
    TrainedOn,
    count_labels,
    find_trained_on,
    scored_labels,
    trained_on,
    write_trained_on,
)
from tests.made_runs import DEMO
from tests.trained_model.test_calibration import made_calibration

TRAIN, VALIDATION = read_samples(DEMO["train"]), read_samples(DEMO["validation"])
SCORES = ValidationScores((0.9, 0.2, 0.4), tuple(sample.label == "TP" for sample in VALIDATION))


@pytest.fixture
def record() -> TrainedOn:
    found = recalls(scored_labels(VALIDATION, SCORES), 0.5)
    return trained_on(TRAIN, VALIDATION, SCORES, found)


def test_it_is_read_as_it_was_written(tmp_path: Path, record: TrainedOn) -> None:
    assert find_trained_on(tmp_path) is None and find_scores(tmp_path) is None
    write_trained_on(tmp_path, record)
    assert find_trained_on(tmp_path) == record
    assert find_scores(tmp_path) == record.scores
    document = json.loads((tmp_path / "trained_on.json").read_text())
    document["labels"][0]["train_tp"] = -1
    (tmp_path / "trained_on.json").write_text(json.dumps(document))
    with pytest.raises(TrainingError, match=r"trained_on\.json: labels\.0\.train_tp is -1"):
        find_trained_on(tmp_path)


def test_it_counts_every_label_once(record: TrainedOn) -> None:
    for part, samples in (("train", TRAIN), ("validation", VALIDATION)):
        for label in ("tp", "fp"):
            count = sum(getattr(each, f"{part}_{label}") for each in record.labels)
            assert count == sum(sample.label == label.upper() for sample in samples)
    words = [replace(sample, smell="hardcoded-secret") for sample in TRAIN]
    assert {each.smell for each in count_labels(words, [])} == {"hard_coded_secret"}


def test_a_calibration_has_the_newer_scores(tmp_path: Path, record: TrainedOn) -> None:
    write_trained_on(tmp_path, record)
    write_manifest(tmp_path)
    calibration = made_calibration(tmp_path)
    write_calibration(tmp_path, calibration)
    assert find_scores(tmp_path) == calibration.held_out != record.scores


def label(group: int, p_tp: float, smell: str = "use_of_http") -> ScoredLabel:
    return ScoredLabel(
        smell=smell, technology="chef", group=group, is_family=True, p_tp=p_tp, is_tp=True
    )


def test_recall_has_a_bound_over_families() -> None:
    alone = [label(group, 0.9) for group in range(59)]
    assert recalls(alone, 0.5)[0].low == pytest.approx(0.05 ** (1 / 59), abs=1e-5)
    assert (tries_for(0.95), tries_for(1)) == (59, None)
    of_one = [label(0, 0.9) for _ in range(59)]
    assert recalls(of_one, 0.5)[0].low == pytest.approx(0.05, abs=1e-5), "one witness"
    overall, secret, http = recalls([*alone, label(1, 0.1, "hard_coded_secret")], 0.5)
    assert (overall.real, overall.kept, overall.groups) == (60, 59, 59)
    assert (http.smell, http.kept, secret.kept, secret.low) == ("use_of_http", 59, 0, 0.0)
    assert recalls([], 0.5)[0].low == 0


@pytest.mark.parametrize(("hits", "tries"), [(1, 1), (5, 5), (19, 20), (40, 61), (1, 30)])
def test_the_bound_is_that_of_clopper_and_pearson(hits: int, tries: int) -> None:
    assert share_at_least(hits, tries) == pytest.approx(
        beta.ppf(0.05, hits, tries - hits + 1), abs=2e-6
    )
    assert lower_bound(hits, [1] * tries) == share_at_least(hits, tries)


def test_strange_lines_are_told_from_usual_ones() -> None:
    train = [f"url: http://mirror.example/pool/{word}.tgz" for word in ("app", "web", "cache")]
    usual = usual_of(known_text(train, [*train, "url: http://mirror.example/pool/db.tgz"]))
    assert usual.holds("url:   http://mirror.example/pool/WEB.tgz")
    strict = usual_of(known_text(train, train))
    assert not strict.holds("url: http://mirror.example/pool/db.tgz")
    assert not usual.holds("# Passwort der Datenbank, bitte ändern")
    assert not usual.holds('resource "aws_db_instance" "default" {')
    with pytest.raises(ValueError, match="3 bytes"):
        usual_of(replace(known_text(train, train), trigrams="AAAA"))
