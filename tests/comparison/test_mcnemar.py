"""McNemar's exact test and Holm's correction, against slow sums and numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iacfilter_hpc.comparison.statistics import McNemar, holm, mcnemar

ROWS = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=80)


def slow_p(b: int, c: int) -> float:
    """Twice the smaller tail of tossing a fair coin b + c times, at most 1."""
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    return min(1.0, 2 * tail)


@given(ROWS)
def test_it_is_the_sum_of_the_tails(rows: list[tuple[bool, bool, bool]]) -> None:
    truth, first, second = ([row[i] for row in rows] for i in range(3))
    b = sum(one == real and two != real for real, one, two in rows)
    c = sum(two == real and one != real for real, one, two in rows)
    found = mcnemar(truth, first, second)
    assert (found.first_only, found.second_only) == (b, c)
    assert found.p == pytest.approx(slow_p(b, c), abs=1e-12)
    turned = mcnemar(truth, second, first)
    assert turned == McNemar(c, b, turned.p) and turned.p == pytest.approx(found.p)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (3, 1, 0.625), (31, 5, 1.3e-05)],
)
def test_by_hand(b: int, c: int, p: float) -> None:
    truth = [True] * (b + c)
    first = [True] * b + [False] * c
    found = mcnemar(truth, first, [not right for right in first])
    assert found.p == pytest.approx(p, rel=0.05)


def test_a_lost_smell_weighs_as_much_as_a_kept_false_alarm() -> None:
    truth, first, second = [True, False], [False, False], [True, True]
    assert mcnemar(truth, first, second) == McNemar(1, 1, 1.0)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.2], [0.2]),
        # 3 x .01, 2 x .02, 1 x .03; the last may not fall below the one before
        ([0.01, 0.02, 0.03], [0.03, 0.04, 0.04]),
        ([0.03, 0.01, 0.02], [0.04, 0.03, 0.04]),
        ([0.9, 0.8, 0.001], [1.0, 1.0, 0.003]),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holm(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_the_largest_of_the_steps_before(p_values: list[float]) -> None:
    order = sorted(p_values)
    steps = [min(1.0, (len(order) - i) * p) for i, p in enumerate(order)]
    slow = {p: max(steps[: i + 1]) for i, p in enumerate(order)}
    found = holm(p_values)
    for p, adjusted in zip(p_values, found, strict=True):
        assert adjusted == pytest.approx(slow[p])
        assert adjusted >= p
