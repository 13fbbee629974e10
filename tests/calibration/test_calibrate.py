"""Calibration of a model: written beside it, used wherever it scores, never reported on itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.special import expit

from iacfilter_hpc.calibration.calibrate import (
    CalibrationOptions,
    averaged_log_odds,
    calibrate,
    remove,
)
from iacfilter_hpc.calibration.card import tell_in_card
from iacfilter_hpc.checkpoints.manifest import CARD, model_sha256, write_manifest
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.errors import DataError, TrainingError, UsageError
from iacfilter_hpc.evaluation.evaluate import evaluate
from iacfilter_hpc.evaluation.metrics import score
from iacfilter_hpc.evaluation.predict import load_scorer, score_samples
from iacfilter_hpc.evaluation.results import document
from iacfilter_hpc.evaluation.text import render
from iacfilter_hpc.filtering.filter import Filter
from iacfilter_hpc.filtering.threshold import choose_filter_threshold
from iacfilter_hpc.glitch.report import open_report
from iacfilter_hpc.glitch.rows import read_rows
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.samples.sample import Sample, write_samples
from iacfilter_hpc.trained_model.calibration import (
    FILE,
    Calibration,
    Calibrator,
    Term,
    TermKind,
    find_calibration,
    write_calibration,
)
from iacfilter_hpc.trained_model.decision import read_decision
from iacfilter_hpc.trained_model.evidence import seen_of, write_seen
from iacfilter_hpc.trained_model.find import Trained
from tests.samples.made import numbered
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS

pytestmark = TRAINS

SEEN = numbered(500, 4)
"""Two that trained the models, and two that validated them."""
LABELLED = numbered(0, 40)
OTHERS = numbered(100, 12)
OPTIONS = CalibrationOptions(draws=100)
CARD_TEXT = "# a model\n\n## Results\n\nGood.\n\n## Limits\n\nMany.\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, one and two, that differ in the sign of what they say."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    one = make_encoder_final(folder / "one" / "final")
    two = shutil.copytree(one, folder / "two" / "final")
    weights = load_file(two / "model.safetensors")
    # of the last layer alone: turned round in two, the signs would undo each other
    turned = {n: -10 * w if "out_proj" in n else w for n, w in weights.items()}
    save_file(turned, two / "model.safetensors", {"format": "pt"})
    for final in (one, two):
        write_seen(final, seen_of(SEEN[:2], SEEN[2:]))
        (final / CARD).write_text(CARD_TEXT)
        write_manifest(final)
    return folder


@pytest.fixture(scope="module")
def done(made: Path) -> Trained:
    """The first model, calibrated once."""
    model = Trained(shutil.copytree(made / "one" / "final", made / "done" / "one" / "final"), None)
    calibrate([model], file_of(made, LABELLED), OPTIONS)
    return model


@pytest.fixture
def calibrated(done: Trained, tmp_path: Path) -> Trained:
    return Trained(shutil.copytree(done.final, tmp_path / "calibrated" / "final"), None)


def calibration_of(model: Trained) -> Calibration:
    found = find_calibration(model.final)
    assert found is not None
    return found


@pytest.fixture
def one(made: Path, tmp_path: Path) -> Trained:
    return Trained(shutil.copytree(made / "one" / "final", tmp_path / "one" / "final"), None)


@pytest.fixture
def two(made: Path, tmp_path: Path) -> Trained:
    return Trained(shutil.copytree(made / "two" / "final", tmp_path / "two" / "final"), None)


def file_of(folder: Path, samples: list[Sample]) -> Path:
    path = folder / "labelled.jsonl"
    write_samples(path, samples)
    return path


def p_of(model: Trained, samples: list[Sample]) -> list[float]:
    scored, _ = score_samples(load_scorer(model.final), samples)
    return [each.p_tp for each in scored]


def test_it_is_written_beside_the_model_and_used(one: Trained, calibrated: Trained) -> None:
    found = calibration_of(calibrated)
    assert model_sha256(calibrated.final) == model_sha256(one.final) == found.model
    assert (found.data.samples, found.data.families) == (40, 40)
    assert sum(each.tp for each in found.labels) == sum(s.label == "TP" for s in LABELLED)
    odds = averaged_log_odds([one], OTHERS)
    calibrator = Calibrator.of(found)
    after = p_of(calibrated, OTHERS)
    assert after != pytest.approx(p_of(one, OTHERS))
    assert after == pytest.approx([calibrator.p_tp(*row) for row in zip(OTHERS, odds, strict=True)])


def test_a_filter_takes_its_threshold(calibrated: Trained) -> None:
    found, decision = calibration_of(calibrated), read_decision(calibrated.final)
    threshold = choose_filter_threshold(calibrated.final, decision)
    assert threshold.value == found.threshold
    assert threshold.origin == "that of its calibration on 40 labels of labelled.jsonl"
    assert choose_filter_threshold(calibrated.final, decision, 0.3).value == 0.3
    recalled = choose_filter_threshold(calibrated.final, decision, recall=0.8)
    real = [each.p_tp for each in found.held_out if each.is_tp]
    assert sum(p >= recalled.value for p in real) >= 0.8 * len(real)


def test_figures_are_those_of_the_outer_folds(calibrated: Trained) -> None:
    found = calibration_of(calibrated)
    truth, p_tp = zip(*((each.is_tp, each.p_tp) for each in found.held_out), strict=True)
    assert list(truth) == [sample.label == "TP" for sample in LABELLED]
    scores = score(truth, [True] * len(truth), p_tp)
    figure = found.folds.figures["average_precision"]
    assert figure.value == scores["average_precision"]
    assert figure.low is not None and figure.high is not None
    assert figure.low <= figure.value <= figure.high
    assert len(found.folds.chosen) == 5
    # of the fit to all samples they would be others
    assert p_of(calibrated, LABELLED) != pytest.approx(p_tp)


def test_what_fitted_it_is_not_evaluated_on(calibrated: Trained, tmp_path: Path) -> None:
    data, found = file_of(tmp_path, LABELLED), calibration_of(calibrated)
    options = EvaluateOptions(output=tmp_path / "results", draws=100)
    with pytest.raises(TrainingError, match=r"40 of 40 samples .* fitted this model's calibration"):
        evaluate(calibrated, data, options)
    shown = evaluate(calibrated, data, replace(options, threshold="argmax"))
    assert any("40 of 40 samples are among those that fitted" in w for w in shown.warnings)
    other = tmp_path / "other.jsonl"
    write_samples(other, OTHERS)
    done = evaluate(calibrated, other, options)
    assert done.threshold == found.threshold
    assert {each.threshold for each in done.predictions} == {found.threshold}
    told = document(done)
    assert told["calibration"]["sha256"] == found.sha256
    assert told["threshold_origin"]["sha256"] == found.data.sha256
    assert told["model"] != model_sha256(calibrated.final)
    text = render(done)
    assert f"TP if p(TP) >= {found.threshold:.4f}, that of its calibration." in text
    assert "fitted on 40 samples" in text


def test_the_card_tells_of_it_until_it_is_taken_away(calibrated: Trained) -> None:
    first = calibration_of(calibrated)
    path = calibrated.final / CARD
    card = path.read_text()
    assert card.index("## Results") < card.index("## Calibration") < card.index("## Limits")
    assert f"if it is at least {first.threshold:.4f}" in card and "`labelled.jsonl`" in card
    tell_in_card(calibrated.final, replace(first, threshold=0.125))
    again = path.read_text()
    assert again.count("## Calibration") == 1 and "at least 0.1250" in again
    assert remove(calibrated) and not remove(calibrated)
    assert path.read_text() == CARD_TEXT
    assert not (calibrated.final / FILE).exists()


def test_a_card_that_the_owner_has_changed_stays_as_it_is(calibrated: Trained) -> None:
    path = calibrated.final / CARD
    path.write_text("Mine.\n")
    tell_in_card(calibrated.final, calibration_of(calibrated))
    assert path.read_text().startswith("Mine.\n\n## Calibration\n")
    path.unlink()
    tell_in_card(calibrated.final, calibration_of(calibrated))
    assert not path.exists()


@pytest.mark.parametrize(
    ("samples", "error", "problem"),
    [
        (LABELLED[:12], DataError, r"has 4 samples labelled FP, and a calibration needs 10"),
        ([replace(s, family=f"f{i % 4}") for i, s in enumerate(LABELLED)], DataError, "of 4 famil"),
        ([*LABELLED, *SEEN[1:3]], TrainingError, r"2 of 42 samples of .* trained or validated one"),
    ],
)
def test_what_cannot_calibrate_is_refused(
    one: Trained, tmp_path: Path, samples: list[Sample], error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        calibrate([one], file_of(tmp_path, samples), OPTIONS)
    assert not (one.final / FILE).exists()
    assert (one.final / CARD).read_text() == CARD_TEXT


def test_folds_are_no_more_than_families(one: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--folds 41: it takes 2 to 40 here"):
        calibrate([one], file_of(tmp_path, LABELLED), replace(OPTIONS, folds=41))


def test_models_of_several_seeds_are_averaged(one: Trained, two: Trained, tmp_path: Path) -> None:
    odds = [averaged_log_odds([model], OTHERS) for model in (one, two)]
    assert odds[0] != pytest.approx(odds[1])
    mixed = averaged_log_odds([one, two], OTHERS)
    assert mixed == pytest.approx([(a + b) / 2 for a, b in zip(*odds, strict=True)])
    data = file_of(tmp_path, LABELLED)
    found = calibrate([one, two], data, OPTIONS).calibration
    assert [partner.name for partner in found.partners] == ["two"]
    calibrator = Calibrator.of(found)
    expected = [calibrator.p_tp(*row) for row in zip(OTHERS, mixed, strict=True)]
    assert p_of(one, OTHERS) == pytest.approx(expected)
    assert "averaged with those of `two`" in (one.final / CARD).read_text()
    (two.final / "seen.json").write_text("{}")
    write_manifest(two.final)
    with pytest.raises(TrainingError, match=r"with two: .* is another model now"):
        load_scorer(one.final)
    shutil.rmtree(two.final)
    with pytest.raises(TrainingError, match=r"with two: .* is gone"):
        load_scorer(one.final)


def test_calibrating_again_replaces_it(calibrated: Trained, tmp_path: Path) -> None:
    first = calibration_of(calibrated)
    done = calibrate([calibrated], file_of(tmp_path, LABELLED[:35]), OPTIONS)
    assert calibration_of(calibrated) == done.calibration != first
    # its figures before are those of the model, not of the earlier calibration
    p_tp = expit(averaged_log_odds([calibrated], LABELLED[:35])).tolist()
    truth = [sample.label == "TP" for sample in LABELLED[:35]]
    before = done.calibration.folds.before["roc_auc"].value
    assert before == score(truth, [True] * 35, p_tp)["roc_auc"]


def test_a_damaged_one_is_refused_before_the_weights(calibrated: Trained) -> None:
    path = calibrated.final / FILE
    path.write_text(path.read_text().replace('"form": "', '"form": "no '))
    (calibrated.final / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="sha256 is not that of the rest"):
        load_scorer(calibrated.final)


def test_a_filter_asks_the_calibration_of_each_sample(calibrated: Trained, tmp_path: Path) -> None:
    """Two rows of one line are one input to the model, and a vote on the path tells them apart."""
    terms = (Term(TermKind.LOG_ODDS, "", 1.0), Term(TermKind.VOTE, "test_fixture", 3.0))
    made = replace(calibration_of(calibrated), terms=terms, intercept=0.0)
    write_calibration(calibrated.final, made)
    scripts = tmp_path / "scripts"
    for name in ("app/main.yml", "tests/main.yml"):
        (scripts / name).parent.mkdir(parents=True)
        (scripts / name).write_text("a: http://acme.com/\n")
    report = tmp_path / "report.csv"
    names = ("app/main.yml", "tests/main.yml")
    report.write_text("".join(f"{name},1,sec_https,http\n" for name in names))
    judge = Filter(load_scorer(calibrated.final), 0.5, Scripts(scripts, ""), None)
    ((app, tests),) = list(judge.judge(read_rows(open_report(report))))
    assert app.p_tp is not None and tests.p_tp is not None and app.sample is not None
    assert tests.p_tp < app.p_tp
    assert len(judge._remembered) == 1
    assert app.p_tp == pytest.approx(p_of(calibrated, [app.sample])[0])


def test_the_file_is_one_json_object(calibrated: Trained) -> None:
    fields = json.loads((calibrated.final / FILE).read_text())
    assert fields["schema"] == 1
    assert set(fields["labels"][0]) == {"smell", "technology", "tp", "fp"}
    assert len(fields["data"]["sha256"]) == 64
