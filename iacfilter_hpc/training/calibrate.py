"""Calibration on validation data only: the temperature of p(TP), and the threshold of TP.

Only the fit of a temperature imports scipy: a filter that scores in ONNX has numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iacfilter_hpc.trained_model.calibration import sigmoid

SMALLEST, LARGEST = 0.05, 20.0
"""Bounds of the temperature: small log-odds that are all right want less, wrong ones infinity."""
LARGEST_OFFSET = 20.0
"""Bound of the offset, beyond which p(TP) is 0 or 1 whatever a model says."""


def _targets(positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    tp, fp = positive.sum(), (~positive).sum()
    return np.asarray(np.where(positive, (tp + 1) / (tp + 2), 1 / (fp + 2)), dtype=np.float64)


def _cross_entropy(z: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> float:
    # log(1 + exp) as one function: exp of a large log-odds alone overflows
    return float((target * np.logaddexp(0, -z) + (1 - target) * np.logaddexp(0, z)).mean())


def fit_temperature(log_odds: npt.ArrayLike, is_tp: npt.ArrayLike) -> float:
    """Temperature T in [0.05, 20] that minimises the cross entropy of sigmoid(log_odds / T).

    Both have shape [n]. Scaling never changes an order of probabilities, nor a decision at 0.5.
    The targets are Platt's, (n_tp + 1) / (n_tp + 2) and 1 / (n_fp + 2), not 1 and 0: a few
    validation samples without an error are no reason to be certain.

    Sources: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2; Platt,
    Probabilistic Outputs for Support Vector Machines, 1999, section 2.2.
    """
    from scipy.optimize import minimize_scalar

    positive = np.asarray(is_tp, dtype=bool)
    odds = np.asarray(log_odds, dtype=np.float64)
    target = _targets(positive)

    def cross_entropy(log_t: float) -> float:
        return _cross_entropy(odds / np.exp(log_t), target)

    # over log T, where doubling and halving are steps of one length
    found = minimize_scalar(
        cross_entropy, bounds=(np.log(SMALLEST), np.log(LARGEST)), method="bounded"
    )
    return float(np.exp(found.x))


def scaled(log_odds: npt.ArrayLike, temperature: float, offset: float = 0.0) -> list[float]:
    """p(TP) = sigmoid(log_odds / temperature + offset), shape [n]."""
    odds = np.asarray(log_odds, dtype=np.float64) / temperature + offset
    return [sigmoid(each) for each in odds.tolist()]


@dataclass(frozen=True, slots=True)
class Scale:
    """Scale of p(TP) = sigmoid(log-odds / `temperature` + `offset`)."""

    temperature: float
    offset: float


def fit_scale(log_odds: npt.ArrayLike, is_tp: npt.ArrayLike) -> Scale:
    """Temperature and offset that minimise the cross entropy, with Platt's targets; shape [n] each.

    The offset is what other data need: where TPs are rarer or more frequent than in training, all
    log-odds are wrong by one number, and no temperature mends it.
    Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999.
    """
    from scipy.optimize import minimize

    positive = np.asarray(is_tp, dtype=bool)
    odds, target = np.asarray(log_odds, dtype=np.float64), _targets(positive)

    def cross_entropy(scale: npt.NDArray[np.float64]) -> float:
        return _cross_entropy(odds / np.exp(scale[0]) + scale[1], target)

    bounds = [(np.log(SMALLEST), np.log(LARGEST)), (-LARGEST_OFFSET, LARGEST_OFFSET)]
    # from the temperature that is best alone: the offset then moves it little
    start = [np.log(fit_temperature(odds, positive)), 0.0]
    found = minimize(cross_entropy, start, method="L-BFGS-B", bounds=bounds)
    return Scale(float(np.exp(found.x[0])), float(found.x[1]))


DEFAULT = 0.5
"""The threshold of a model that nobody has chosen one for."""
EDGE = 1e-6
"""How far thresholds keep from 0 and 1, between which decision.json wants them."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Threshold: TP if p(TP) >= `value`; with the validation F1 of TP there and at 0.5."""

    value: float
    f1: float
    f1_at_default: float


def choose_threshold(p_tp: npt.ArrayLike, is_tp: npt.ArrayLike) -> Threshold:
    """The threshold of the highest F1 of TP; of equals the one nearest 0.5.

    Candidates are 0.5, the midpoints between neighbouring scores, and one beyond either end,
    all inside (0, 1). `p_tp` and `is_tp` have shape [n].
    """
    scores = np.asarray(p_tp, dtype=np.float64)
    positive = np.asarray(is_tp, dtype=bool)
    # F1 changes only where a score is passed, and half-way is farthest from both neighbours
    levels = np.unique(np.concatenate([[0.0], scores, [1.0]]))
    midpoints = (levels[1:] + levels[:-1]) / 2
    candidates = np.clip(np.append(midpoints, DEFAULT), EDGE, 1 - EDGE)
    f1 = _f1(scores, positive, candidates)
    best = candidates[f1 == f1.max()]
    value = float(best[np.argmin(np.abs(best - DEFAULT))])
    return Threshold(value, float(f1.max()), float(f1[-1]))  # the last candidate is DEFAULT


def threshold_for_recall(p_tp: npt.ArrayLike, is_tp: npt.ArrayLike, recall: float) -> float:
    """The highest threshold in (0, 1) at which at least `recall` of the real TPs are kept.

    It lies half-way to the next lower score, so that a score a little below the last one kept is
    treated as its neighbour would be. `p_tp` and `is_tp` have shape [n], with at least one TP.
    """
    scores = np.asarray(p_tp, dtype=np.float64)
    kept = np.sort(scores[np.asarray(is_tp, dtype=bool)])[::-1]
    # the least number of TPs whose share reaches `recall`; 0.95 * 20 must be 19, not 19.000000001
    count = max(1, int(np.ceil(recall * len(kept) - 1e-9)))
    last = kept[count - 1]
    lower = scores[scores < last]
    below = float(lower.max()) if len(lower) else 0.0
    return float(np.clip((last + below) / 2, EDGE, 1 - EDGE))


def _f1(
    scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], at: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """F1 of TP at each threshold; 0 where nothing is predicted."""
    # by sorting: a table of all scores at all thresholds grows with the square of the samples
    predicted = len(scores) - np.searchsorted(np.sort(scores), at, side="left")
    hits = positive.sum() - np.searchsorted(np.sort(scores[positive]), at, side="left")
    return np.asarray(2 * hits / np.maximum(predicted + positive.sum(), 1), dtype=np.float64)
