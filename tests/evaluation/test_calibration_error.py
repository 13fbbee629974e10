"""iacfilter_hpc.evaluation.metrics against scikit-learn and numbers worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from sklearn.calibration import calibration_curve

from iacfilter_hpc.evaluation.metrics import expected_calibration_error, reliability
from tests.evaluation.strategies import Decided, decisions

pytestmark = pytest.mark.train


def test_by_hand() -> None:
    truth, p_tp = [True, False, True, True], [0.1, 0.2, 0.9, 1.0]
    low, middle, high = reliability(truth, p_tp, bins=3)
    assert (low.low, low.high, low.count) == (0, pytest.approx(1 / 3), 2)
    assert (low.mean_p, low.share_tp) == (pytest.approx(0.15), 0.5)
    assert (middle.count, middle.mean_p, middle.share_tp) == (0, None, None)
    assert (high.high, high.count, high.mean_p, high.share_tp) == (1, 2, pytest.approx(0.95), 1)
    # each sample alone in its bin
    assert expected_calibration_error(truth, p_tp) == pytest.approx((0.9 + 0.2 + 0.1 + 0) / 4)


def test_perfect_and_worst_and_none() -> None:
    assert expected_calibration_error([True, False], [1.0, 0.0]) == 0
    assert expected_calibration_error([True, False], [0.0, 1.0]) == 1
    assert expected_calibration_error([], []) is None


@settings(deadline=None)
@given(decisions())
def test_the_bins_are_scikit_learns(made: Decided) -> None:
    bins = [each for each in reliability(made.truth, made.p_tp) if each.count]
    share, mean = calibration_curve(made.truth, made.p_tp, n_bins=15, strategy="uniform")
    assert [each.share_tp for each in bins] == pytest.approx(share.tolist(), abs=1e-12)
    assert [each.mean_p for each in bins] == pytest.approx(mean.tolist(), abs=1e-12)
    assert sum(each.count for each in bins) == len(made.truth)
    for each in bins:
        assert each.mean_p is not None
        assert each.low - 1e-12 <= each.mean_p <= each.high + 1e-12
