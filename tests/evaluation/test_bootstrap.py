"""Intervals against a slow reference: repeat the samples of each draw, and score them."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import binomtest

from iacfilter_hpc.evaluation import bootstrap
from iacfilter_hpc.evaluation.bootstrap import (
    Interval,
    bootstrap_scores,
    draw_weights,
    percentile_interval,
)
from iacfilter_hpc.evaluation.metrics import METRICS, weighted_scores
from tests.evaluation.reference import reference_scores
from tests.evaluation.strategies import Decided, decisions

pytestmark = pytest.mark.train

KEYS = tuple(metric.key for metric in METRICS)


def made_decisions(samples: int, groups: int, seed: int = 0) -> Decided:
    chance = random.Random(seed)
    truth = [chance.random() < 0.4 for _ in range(samples)]
    p_tp = [round(min(1.0, 0.3 * t + 0.7 * chance.random()), 2) for t in truth]
    names = [f"family-{chance.randrange(groups)}" for _ in range(samples)]
    return Decided(truth, p_tp, [p >= 0.5 for p in p_tp], names)


def slow_draw(made: Decided, weights: list[int]) -> list[float | None]:
    """The scores of the samples, each repeated as often as its weight says."""
    indices = [i for i, times in enumerate(weights) for _ in range(times)]
    truth, decided = ([values[i] for i in indices] for values in (made.truth, made.decided))
    found = reference_scores(truth, decided, [made.p_tp[i] for i in indices])
    return [found[key] for key in KEYS]


def slow_interval(values: list[float | None]) -> Interval | None:
    """The order statistics at 2.5 and 97.5 %, with straight lines between them."""
    defined = sorted(value for value in values if value is not None)
    undefined = len(values) - len(defined)
    if undefined > len(values) / 20:
        return None

    def quantile(share: float) -> float:
        place = share * (len(defined) - 1)
        below = int(place)
        above = min(below + 1, len(defined) - 1)
        return defined[below] + (place - below) * (defined[above] - defined[below])

    return Interval(quantile(0.025), quantile(0.975), undefined)


@settings(deadline=None, max_examples=100)
@given(decisions())
def test_weights_are_repetitions(made: Decided) -> None:
    weights = draw_weights(made.groups, 4, seed=1)
    fast = weighted_scores(made.truth, made.decided, made.p_tp, weights)
    for draw, row in enumerate(weights.tolist()):
        for name, slow in zip(KEYS, slow_draw(made, row), strict=True):
            found = fast[name][draw]
            assert found == pytest.approx(np.nan if slow is None else slow, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("times", [1, 3])
def test_nineteen_of_twenty_is_95_percent(times: int) -> None:
    truth, p_tp = [True] * 20 + [False] * 2, [0.9] * 19 + [0.1, 0.5, 0.05]
    found = weighted_scores(truth, [True] * 22, p_tp, np.full((1, 22), times))
    assert found["fp_reduction_at_recall_95"].tolist() == [1]
    assert found["fp_reduction_at_recall_99"].tolist() == [0.5]


@pytest.mark.parametrize(("samples", "groups"), [(60, 12), (25, 6)])
def test_intervals_equal_the_slow_reference(samples: int, groups: int) -> None:
    made = made_decisions(samples, groups)
    draws = draw_weights(made.groups, 200, seed=3).tolist()
    columns = zip(*(slow_draw(made, row) for row in draws), strict=True)
    wanted = dict(zip(KEYS, map(slow_interval, map(list, columns)), strict=True))
    found = bootstrap_scores(made.truth, made.decided, made.p_tp, made.groups, draws=200, seed=3)
    for name in KEYS:
        fast, slow = found[name], wanted[name]
        if fast is not None and fast.is_wilson:
            assert slow is not None and slow.low == slow.high
            continue
        assert (fast is None) == (slow is None)
        if fast is not None and slow is not None:
            assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=1e-12)
            assert fast.undefined == slow.undefined
    assert found["f1"] is not None and found["f1"].low < found["f1"].high


def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many samples are drawn in parts; the parts are of the same draws."""
    made = made_decisions(50, 9)
    arguments = (made.truth, made.decided, made.p_tp, made.groups)
    whole = bootstrap_scores(*arguments, draws=100, seed=5)
    monkeypatch.setattr(bootstrap, "CELLS_AT_ONCE", 350)
    assert bootstrap_scores(*arguments, draws=100, seed=5) == whole
    assert bootstrap_scores(*arguments, draws=100, seed=6) != whole


def test_groups_are_drawn_whole_and_as_many_as_there_are() -> None:
    groups = ["a", "b", "a", "c", "b", "a"]
    weights = draw_weights(groups, 500, seed=0)
    assert weights.shape == (500, 6)
    a, b, c = weights[:, 0], weights[:, 1], weights[:, 3]
    assert (weights[:, 2] == a).all() and (weights[:, 5] == a).all() and (weights[:, 4] == b).all()
    assert (a + b + c == 3).all()
    assert a.mean() == pytest.approx(1, abs=0.1) and a.max() == 3
    # the order of the samples does not decide which groups are drawn
    assert (draw_weights(groups[::-1], 500, seed=0)[:, ::-1] == weights).all()


def test_clusters_widen_the_interval() -> None:
    """Ten copies of each sample are no ten witnesses."""
    made = made_decisions(30, 1000)
    one = bootstrap_scores(made.truth, made.decided, made.p_tp, made.groups)
    ten = [values * 10 for values in (made.truth, made.decided, made.p_tp, made.groups)]
    clustered = bootstrap_scores(*ten)
    naive = bootstrap_scores(*ten[:3], [str(i) for i in range(300)])
    assert one["f1"] and clustered["f1"] and naive["f1"]
    assert clustered["f1"].low == pytest.approx(one["f1"].low)
    assert naive["f1"].high - naive["f1"].low < (one["f1"].high - one["f1"].low) / 2


def test_no_interval_where_there_is_none() -> None:
    truth, p_tp = [True, False] * 5, [0.9, 0.1] * 5
    for groups in ("aaaaaaaaaa", "aabbccdddd"):
        few = bootstrap_scores(truth, truth, p_tp, [*groups])
        assert {few[name] for name in KEYS} == {None}, "fewer than five groups"
    # one real one in one of five groups: a third of the draws lack it
    rare = [True] + [False] * 9
    lacking = bootstrap_scores(rare, rare, p_tp, [*"aabbccddee"])
    assert lacking["roc_auc"] is lacking["recall"] is None
    assert lacking["accuracy"] == Interval(1, 1)
    without_p = bootstrap_scores([True, False] * 9, [True] * 18, None, [*"abcdefghi"] * 2)
    assert without_p["average_precision"] is None and without_p["precision"] is not None


def test_shares_that_never_vary_have_wilsons_interval() -> None:
    """Twenty of twenty right is no proof that the next one will be."""
    truth = [True, True, False, False] * 10
    groups = [f"family-{i // 4}" for i in range(40)]
    found = bootstrap_scores(truth, truth, None, groups)
    for name in ("precision", "recall", "fp_reduction"):
        ends = binomtest(20, 20).proportion_ci(0.95, method="wilson")
        wanted = Interval(ends.low, ends.high, is_wilson=True)
        assert found[name] == wanted and wanted.low < 0.9
    assert found["f1"] == Interval(1, 1)
    spread = bootstrap_scores(truth, [True, *truth[1:-1], True], None, groups)
    assert spread["precision"] is not None and not spread["precision"].is_wilson


def test_few_undefined_draws_are_counted() -> None:
    values = np.array([*range(95), *[np.nan] * 5], dtype=float)
    assert percentile_interval(values) == Interval(94 * 0.025, 94 * 0.975, undefined=5)
    assert percentile_interval(np.append(values, np.nan)) is None


def test_it_is_fast() -> None:
    made = made_decisions(230, 44)
    begin = time.perf_counter()
    bootstrap_scores(made.truth, made.decided, made.p_tp, made.groups, draws=2000)
    assert time.perf_counter() - begin < 2
