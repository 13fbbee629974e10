"""The temperature makes probabilities believable, and changes no decision."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from iacfilter_hpc.training.calibrate import LARGEST, SMALLEST, fit_temperature, scaled

pytestmark = pytest.mark.train


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_it_finds_the_temperature_that_made_the_labels(truth: float) -> None:
    random = np.random.default_rng(0)
    log_odds = random.normal(0, 3, 40_000)
    is_tp = random.random(40_000) < expit(log_odds / truth)
    assert fit_temperature(log_odds, is_tp) == pytest.approx(truth, rel=0.05)


def test_no_grid_point_is_better() -> None:
    random = np.random.default_rng(1)
    log_odds = random.normal(0, 4, 200)
    is_tp = random.random(200) < expit(log_odds)
    tp, fp = is_tp.sum(), (~is_tp).sum()
    target = np.where(is_tp, (tp + 1) / (tp + 2), 1 / (fp + 2))

    def cross_entropy(temperature: float) -> float:
        p = np.array(scaled(log_odds, temperature))
        return float(-(target * np.log(p) + (1 - target) * np.log1p(-p)).mean())

    best = cross_entropy(fit_temperature(log_odds, is_tp))
    assert all(best <= cross_entropy(t) + 1e-9 for t in np.geomspace(0.6, 20, 60))


def test_three_samples_without_an_error_are_no_certainty() -> None:
    p_tp = scaled([8.0, -8.0, -9.0], fit_temperature([8.0, -8.0, -9.0], [True, False, False]))
    assert 0.6 < p_tp[0] < 0.9 and 0.1 < p_tp[1] < 0.4


@pytest.mark.parametrize("sign", [1, -1])
def test_it_stays_within_bounds(sign: int) -> None:
    """Odds near 0 that are all right, and large ones that are all wrong."""
    odds = [0.001, -0.001] if sign == 1 else [-50.0, 50.0]
    found = fit_temperature(odds, [True, False])
    assert found == pytest.approx(SMALLEST if sign == 1 else LARGEST, rel=1e-3)


def test_scaling_keeps_order_and_decisions() -> None:
    odds = [-3.0, -0.1, 0.0, 0.1, 7.0]
    p_tp = scaled(odds, 4.2)
    assert p_tp == sorted(p_tp)
    assert [p >= 0.5 for p in p_tp] == [o >= 0 for o in odds]
