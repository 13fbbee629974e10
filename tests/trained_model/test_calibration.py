"""calibration.json: read back as written, refused where it is damaged or of something else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.manifest import model_sha256, verify, write_manifest
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.labelling.functions import VERSION
from iacfilter_hpc.labelling.user_functions import PatternFunction
from iacfilter_hpc.trained_model.calibration import (
    FILE,
    Calibration,
    CalibrationData,
    Calibrator,
    Figure,
    Folds,
    HeldOutScore,
    LabelCount,
    SeenSamples,
    Term,
    TermKind,
    calibrated_sha256,
    carry_over,
    find_calibration,
    read_threshold_scores,
    remove_calibration,
    sigmoid,
    write_calibration,
)
from iacfilter_hpc.trained_model.evidence import ValidationScores, write_validation_scores
from tests.samples.made import sample

MINE = PatternFunction(name="mine", about="Mine.", vote="TP", content="wanted")


def made_calibration(final: Path) -> Calibration:
    return Calibration(
        model=model_sha256(final),
        form="log-odds and votes",
        penalty=3.0,
        intercept=0.5,
        terms=(
            Term(TermKind.LOG_ODDS, "", 0.25),
            Term(TermKind.SMELL, "use_of_http", -1.0),
            Term(TermKind.TECHNOLOGY, "ansible", 0.125),
            Term(TermKind.VOTE, "local_url", 2.0),
            Term(TermKind.VOTE, "mine", 4.0),
        ),
        threshold=0.4,
        partners=(),
        functions_version=VERSION,
        functions=(MINE,),
        registered=(),
        data=CalibrationData(
            file="/a/labelled.jsonl", sha256="a" * 64, groups_sha256=None, samples=2, families=1
        ),
        labels=(LabelCount("use_of_http", "ansible", 1, 1),),
        folds=Folds(
            outer=5,
            inner=4,
            seed=0,
            chosen=("x",),
            figures={"f1": Figure(0.5, 0.1, None)},
            before={},
        ),
        held_out=(
            HeldOutScore("use_of_http", "ansible", 0, True, 0.75, True),
            HeldOutScore("use_of_http", "ansible", 0, True, 0.25, False),
        ),
        seen=SeenSamples(("0" * 16,), (), ()),
    )


@pytest.fixture
def final(tmp_path: Path) -> Path:
    (tmp_path / "final").mkdir()
    write_validation_scores(tmp_path / "final", ValidationScores((0.5,), (True,)))
    write_manifest(tmp_path / "final")
    return tmp_path / "final"


def test_it_is_read_as_it_was_written(final: Path) -> None:
    assert find_calibration(final) is None
    assert read_threshold_scores(final).p_tp == (0.5,)
    calibration = made_calibration(final)
    write_calibration(final, calibration)
    assert find_calibration(final) == calibration
    # a calibrated model still is the model that its manifest tells of
    verify(final)
    assert read_threshold_scores(final) == ValidationScores((0.75, 0.25), (True, False))
    assert remove_calibration(final) and not remove_calibration(final)
    assert find_calibration(final) is None


def test_p_tp_is_the_sigmoid_of_the_sum(final: Path) -> None:
    calibrator = Calibrator.of(made_calibration(final))
    http = replace(sample(2, smell="use_of_http"), technology="ansible", content="nothing")
    assert calibrator.p_tp(http, 2.0) == sigmoid(0.5 + 0.25 * 2 - 1 + 0.125)
    local = replace(http, smell="Use of HTTP", content="wanted http://localhost/")
    # its vote is FP, which counts -1, and that of the user's own function TP
    assert calibrator.p_tp(local, 2.0) == pytest.approx(sigmoid(0.5 + 0.5 - 1 + 0.125 - 2 + 4))
    other = replace(http, smell="suspicious_comment", technology="chef")
    assert calibrator.p_tp(other, 0.0) == sigmoid(0.5)
    assert math.isnan(calibrator.p_tp(other, math.nan))
    assert (sigmoid(-1000), sigmoid(1000)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"intercept": 0.5', '"intercept": 0.75', "sha256 is not that of the rest"),
        ('"weight": 4.0', '"weight": 40.0', "sha256 is not that of the rest"),
        ('"threshold": 0.4', '"threshold": 1.4', "threshold is 1.4"),
        ('"schema": 1', '"schema": 2', "schema 2; this version reads 1"),
        ('"intercept"', '"intercpet"', "intercept is missing"),
        ('"tp": 1', '"tp": -1', r"labels\.0\.tp is -1"),
        ("{", "", "is not JSON"),
    ],
)
def test_a_damaged_one_is_refused(final: Path, old: str, new: str, problem: str) -> None:
    write_calibration(final, made_calibration(final))
    path = final / FILE
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(TrainingError, match=problem) as caught:
        find_calibration(final)
    assert "iacfilter-calibrate" in str(caught.value.hint)


def test_that_of_another_model_is_refused(final: Path, tmp_path: Path) -> None:
    write_calibration(final, replace(made_calibration(final), model="b" * 64))
    with pytest.raises(TrainingError, match="is the calibration of another model"):
        find_calibration(final)


def test_votes_of_another_version_are_refused(final: Path) -> None:
    old = replace(made_calibration(final), functions_version=VERSION + 1)
    write_calibration(final, old)
    with pytest.raises(TrainingError, match=f"in version {VERSION + 1}, and here they are in vers"):
        find_calibration(final)
    # nothing of them is in a form without votes
    write_calibration(final, replace(old, terms=old.terms[:1]))
    assert find_calibration(final) is not None


def test_a_function_of_no_installed_package_is_named(final: Path) -> None:
    lost = replace(made_calibration(final), functions=(), registered=("mine",))
    with pytest.raises(TrainingError, match="votes of mine, which no installed package registers"):
        Calibrator.of(lost)


def test_another_calibration_is_another_identity(final: Path) -> None:
    one = made_calibration(final)
    assert calibrated_sha256(one) != calibrated_sha256(replace(one, threshold=0.5))
    assert calibrated_sha256(one) != one.model


def test_it_goes_along_to_another_form_of_the_model(final: Path, tmp_path: Path) -> None:
    other = tmp_path / "merged"
    other.mkdir()
    (other / "weights").write_text("rounded")
    write_manifest(other)
    carry_over(final, other)
    assert find_calibration(other) is None
    write_calibration(final, made_calibration(final))
    carry_over(final, other)
    found = find_calibration(other)
    assert found is not None and found.model == model_sha256(other) != model_sha256(final)
    assert json.loads((other / FILE).read_text())["sha256"] == found.sha256
