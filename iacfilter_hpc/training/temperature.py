"""Temperature scaling: one number, fitted on validation data, that makes p(TP) believable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit

SMALLEST, LARGEST = 0.05, 20.0


def fit_temperature(log_odds: npt.ArrayLike, is_tp: npt.ArrayLike) -> float:
    """The T in [0.05, 20] that minimises the cross entropy of sigmoid(log_odds / T).

    Both have shape [n]. Scaling never changes an order of probabilities, nor a decision at 0.5.
    The targets are Platt's, (n_tp + 1) / (n_tp + 2) and 1 / (n_fp + 2), not 1 and 0: a few
    validation samples without an error are no reason to be certain.

    Sources: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2; Platt,
    Probabilistic Outputs for Support Vector Machines, 1999, section 2.2.
    """
    positive = np.asarray(is_tp, dtype=bool)
    odds = np.asarray(log_odds, dtype=np.float64)
    tp, fp = positive.sum(), (~positive).sum()
    target = np.where(positive, (tp + 1) / (tp + 2), 1 / (fp + 2))

    def cross_entropy(log_t: float) -> float:
        z = odds / np.exp(log_t)
        return float((target * np.logaddexp(0, -z) + (1 - target) * np.logaddexp(0, z)).mean())

    found = minimize_scalar(
        cross_entropy, bounds=(np.log(SMALLEST), np.log(LARGEST)), method="bounded"
    )
    return float(np.exp(found.x))


def scaled(log_odds: npt.ArrayLike, temperature: float) -> list[float]:
    """p(TP) = sigmoid(log_odds / temperature), shape [n]."""
    p_tp: list[float] = expit(np.asarray(log_odds, dtype=np.float64) / temperature).tolist()
    return p_tp
