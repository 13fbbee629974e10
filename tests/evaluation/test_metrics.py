"""Scores against numbers worked out by hand, and against published baselines."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from iacfilter_hpc.evaluation.metrics import score
from tests.evaluation.strategies import Decided, decisions

pytestmark = pytest.mark.train

REFERENCE = Path(__file__).resolve().parents[3] / "shared/data/oracle/reference_predictions.csv"


def test_by_hand() -> None:
    # TP 3, FN 1, FP 2, TN 4
    truth = [True] * 4 + [False] * 6
    decided = [True, True, True, False, True, True, False, False, False, False]
    p_tp = [0.9, 0.8, 0.7, 0.1, 0.85, 0.6, 0.3, 0.2, 0.15, 0.05]
    found = score(truth, decided, p_tp)
    assert (found.tp, found.fp, found.fn, found.tn) == (3, 2, 1, 4)
    assert (found.samples, found.support) == (10, 4)
    assert found["precision"] == pytest.approx(3 / 5)
    assert found["recall"] == pytest.approx(3 / 4)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(0.7)
    assert found["mcc"] == pytest.approx((3 * 4 - 2 * 1) / (5 * 4 * 6 * 5) ** 0.5)
    # ranks of the positives: 1, 3, 4, 9
    assert found["fp_reduction"] == pytest.approx(4 / 6)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4 + 4 / 9) / 4)
    # FPs above each positive: 0, 1, 1, 5
    assert found["roc_auc"] == pytest.approx(1 - (0 + 1 + 1 + 5) / 24)
    # all four positives must stay, and with the last of them five FPs do
    assert found["fp_reduction_at_recall_95"] == pytest.approx(1 / 6)
    assert found["precision_at_recall_95"] == pytest.approx(4 / 9)
    assert found.few_positives


def test_false_alarms_that_a_threshold_could_remove() -> None:
    # 20 positives; the lowest lies under every FP, the next is tied with half of them
    truth = [True] * 20 + [False] * 10
    p_tp = [0.9] * 18 + [0.5, 0.1] + [0.5] * 5 + [0.3] * 5
    found = score(truth, [True] * 30, p_tp)
    assert found["fp_reduction_at_recall_95"] == 0.5  # 19 of 20 is 95 %, ties stay together
    assert found["fp_reduction_at_recall_99"] == 0
    assert found["precision_at_recall_95"] == pytest.approx(19 / 24)
    assert found["fp_reduction"] == 0
    assert not found.few_positives


def test_what_is_not_defined_is_none() -> None:
    nothing_decided = score([True, False], [False, False], [0.1, 0.2])
    assert (nothing_decided["precision"], nothing_decided["recall"]) == (None, 0)
    assert (nothing_decided["f1"], nothing_decided["mcc"]) == (0, None)
    assert nothing_decided["average_precision"] == 0.5
    no_positive = score([False, False], [True, False], [0.9, 0.1])
    assert (no_positive["precision"], no_positive["recall"], no_positive["f1"]) == (0, None, 0)
    assert (no_positive["mcc"], no_positive["average_precision"], no_positive["roc_auc"]) == (
        None,
    ) * 3
    assert (
        no_positive["fp_reduction_at_recall_95"] is no_positive["fp_reduction_at_recall_99"] is None
    )
    assert no_positive["expected_calibration_error"] == pytest.approx((0.9 + 0.1) / 2)
    without_p = score([True, False], [True, False], None)
    assert (without_p["f1"], without_p["mcc"], without_p["fp_reduction"]) == (1, 1, 1)
    assert without_p["average_precision"] is without_p["roc_auc"] is None
    assert without_p["fp_reduction_at_recall_95"] is without_p["expected_calibration_error"] is None
    all_quiet = score([False], [False], [0.1])
    assert (
        all_quiet["precision"],
        all_quiet["recall"],
        all_quiet["f1"],
        all_quiet["accuracy"],
    ) == (
        None,
        None,
        None,
        1,
    )
    assert set(score([], [], []).as_dict().values()) == {0, None}


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1)), max_size=8))
def test_no_sample_is_too_odd(rows: list[tuple[bool, bool, float]]) -> None:
    truth, decided, p_tp = ([row[i] for row in rows] for i in range(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(truth, decided, p_tp)
    assert found.tp + found.fp + found.fn + found.tn == found.samples == len(rows)


def near(found: float | None, wanted: float) -> None:
    assert found == pytest.approx(wanted, abs=1e-12)


@settings(deadline=None, max_examples=150)
@given(decisions(least=2))
def test_every_score_is_scikit_learns(made: Decided) -> None:
    truth, decided, p_tp = made.truth, made.decided, made.p_tp
    found = score(truth, decided, p_tp)
    near(found["accuracy"], metrics.accuracy_score(truth, decided))
    if any(decided):
        near(found["precision"], metrics.precision_score(truth, decided))
    if any(truth):
        near(found["recall"], metrics.recall_score(truth, decided))
    if any(truth) or any(decided):
        near(found["f1"], metrics.f1_score(truth, decided))
    if len(set(truth)) == 2:
        confusion = metrics.confusion_matrix(truth, decided, labels=[False, True])
        assert [[found.tn, found.fp], [found.fn, found.tp]] == confusion.tolist()
        near(found["average_precision"], metrics.average_precision_score(truth, p_tp))
        near(found["roc_auc"], metrics.roc_auc_score(truth, p_tp))
        fpr, tpr, _ = metrics.roc_curve(truth, p_tp, drop_intermediate=False)
        near(found["fp_reduction_at_recall_95"], (1 - fpr[tpr >= 0.95]).max())
        near(found["fp_reduction_at_recall_99"], (1 - fpr[tpr >= 0.99]).max())
        if len(set(decided)) == 2:
            near(found["mcc"], metrics.matthews_corrcoef(truth, decided))


@pytest.mark.skipif(not REFERENCE.is_file(), reason="real data are not beside the repository")
@pytest.mark.parametrize(
    ("column", "f1"), [("keep_all", 0.656), ("weak_rules_v1", 0.720), ("tfidf", 0.750)]
)
def test_published_baselines(column: str, f1: float) -> None:
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    truth = [row["label"] == "TP" for row in rows]
    p_tp = [float(row["tfidf_lr_family_folds_score"]) for row in rows]
    decided = [p >= 0.5 for p in p_tp]
    if column != "tfidf":
        decided = [row[column] == "TP" for row in rows]
    found = score(truth, decided, p_tp)
    assert found["f1"] == pytest.approx(f1, abs=5e-4)
    assert (found.samples, found.support) == (121, 59)


@pytest.mark.skipif(not REFERENCE.is_file(), reason="real data are not beside the repository")
def test_best_published_filter() -> None:
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    truth = [row["label"] == "TP" for row in rows]
    columns = [name for name in rows[0] if name.startswith("secllm_")]
    runs = [[row[name] == "TP" for row in rows] for name in columns]
    best = max(score(truth, run, [float(d) for d in run])["f1"] or 0 for run in runs)
    assert best == pytest.approx(0.909, abs=5e-4)
