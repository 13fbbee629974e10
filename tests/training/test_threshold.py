"""The threshold maximises F1 of TP on what it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from iacfilter_hpc.training.calibrate import choose_threshold, threshold_for_recall

pytestmark = pytest.mark.train


def test_midpoint_between_scores() -> None:
    chosen = choose_threshold([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1])
    assert chosen.value == pytest.approx(0.25)
    assert (chosen.f1, chosen.f1_at_default) == (1.0, 0.0)


def test_of_equals_the_nearest_to_half() -> None:
    assert choose_threshold([0.1, 0.9], [0, 1]).value == 0.5
    # 0.3 and 0.15 give the same F1 only if nothing lies between them
    assert choose_threshold([0.1, 0.2, 0.2, 0.4], [0, 1, 1, 1]).value == pytest.approx(0.15)


@pytest.mark.parametrize("scores", [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
def test_stays_inside_zero_and_one(scores: list[float]) -> None:
    assert 0 < choose_threshold(scores, [1, 0]).value < 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
def test_no_other_threshold_is_better(rows: list[tuple[float, bool]]) -> None:
    scores, truth = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    chosen = choose_threshold(scores, truth)
    assert chosen.f1 == pytest.approx(f1_score(truth, scores >= chosen.value, zero_division=0))
    assert chosen.f1_at_default == pytest.approx(f1_score(truth, scores >= 0.5, zero_division=0))
    for other in np.linspace(0.01, 0.99, 15):
        assert chosen.f1 >= f1_score(truth, scores >= other, zero_division=0) - 1e-12


def test_the_highest_threshold_that_keeps_enough() -> None:
    scores, truth = [0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 1, 0]
    assert threshold_for_recall(scores, truth, 1.0) == pytest.approx(0.55)
    assert threshold_for_recall(scores, truth, 2 / 3) == pytest.approx(0.65)
    assert threshold_for_recall(scores, truth, 0.01) == pytest.approx(0.85)


def test_recall_of_nineteen_in_twenty_is_not_lost_to_rounding() -> None:
    scores = [i / 20 for i in range(1, 21)]
    assert threshold_for_recall(scores, [1] * 20, 0.95) == pytest.approx(0.075)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=1, max_size=30),
    st.floats(0.05, 1),
)
def test_recall_is_reached_and_no_higher_level_reaches_it(
    rows: list[tuple[float, bool]], recall: float
) -> None:
    rows.append((0.5, True))
    scores, truth = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    chosen = threshold_for_recall(scores, truth, recall)
    assert (scores[truth] >= chosen).mean() >= recall - 1e-9
    higher = [level for level in set(scores) if level > chosen]
    lowest_kept = min(scores[scores >= chosen])
    assert all(
        (scores[truth] >= level).mean() < recall - 1e-9 for level in higher if level > lowest_kept
    )
