"""Scores against numbers worked out by hand, and against published baselines."""

from __future__ import annotations

import csv
import warnings
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iacfilter_hpc.evaluation.scores import score

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
    assert found.precision == pytest.approx(3 / 5)
    assert found.recall == pytest.approx(3 / 4)
    assert found.f1 == pytest.approx(2 / 3)
    assert found.accuracy == pytest.approx(0.7)
    assert found.mcc == pytest.approx((3 * 4 - 2 * 1) / (5 * 4 * 6 * 5) ** 0.5)
    # ranks of the positives: 1, 3, 4, 9
    assert found.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4 + 4 / 9) / 4)


def test_what_is_not_defined_is_none() -> None:
    nothing_decided = score([True, False], [False, False], [0.1, 0.2])
    assert (nothing_decided.precision, nothing_decided.recall) == (None, 0)
    assert (nothing_decided.f1, nothing_decided.mcc) == (0, None)
    assert nothing_decided.average_precision == 0.5
    no_positive = score([False, False], [True, False], [0.9, 0.1])
    assert (no_positive.precision, no_positive.recall, no_positive.f1) == (0, None, 0)
    assert (no_positive.mcc, no_positive.average_precision) == (None, None)
    all_quiet = score([False], [False], [0.1])
    assert (all_quiet.precision, all_quiet.recall, all_quiet.f1, all_quiet.accuracy) == (
        None,
        None,
        None,
        1,
    )
    assert set(astuple(score([], [], []))) == {0, None}


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1)), max_size=8))
def test_no_sample_is_too_odd(rows: list[tuple[bool, bool, float]]) -> None:
    truth, decided, p_tp = ([row[i] for row in rows] for i in range(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(truth, decided, p_tp)
    assert found.tp + found.fp + found.fn + found.tn == found.samples == len(rows)


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
    assert found.f1 == pytest.approx(f1, abs=5e-4)
    assert (found.samples, found.support) == (121, 59)


@pytest.mark.skipif(not REFERENCE.is_file(), reason="real data are not beside the repository")
def test_best_published_filter() -> None:
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    truth = [row["label"] == "TP" for row in rows]
    columns = [name for name in rows[0] if name.startswith("secllm_")]
    runs = [[row[name] == "TP" for row in rows] for name in columns]
    best = max(score(truth, run, [float(d) for d in run]).f1 or 0 for run in runs)
    assert best == pytest.approx(0.909, abs=5e-4)
