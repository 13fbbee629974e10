"""Whether p(TP) means what it says: the share of real TPs among samples of like p(TP)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Samples with `low` < p(TP) <= `high` (the first bin holds 0 too).

    `mean_p` is their mean p(TP), `share_tp` the share of real TPs; None where there is no sample.
    """

    low: float
    high: float
    count: int
    mean_p: float | None
    share_tp: float | None


def reliability(truth: Sequence[bool], p_tp: Sequence[float], bins: int = BINS) -> list[Bin]:
    """Every one of `bins` bins of equal width over [0, 1], empty ones included, in order."""
    is_tp, scores = np.asarray(truth, dtype=bool), np.asarray(p_tp, dtype=np.float64)
    edges, place = np.linspace(0, 1, bins + 1), bins_of(scores, bins)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=scores, minlength=bins)
    hits = np.bincount(place, weights=is_tp, minlength=bins)
    return [
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(counts[i]),
            mean_p=float(sums[i] / counts[i]) if counts[i] else None,
            share_tp=float(hits[i] / counts[i]) if counts[i] else None,
        )
        for i in range(bins)
    ]


def expected_calibration_error(truth: Sequence[bool], p_tp: Sequence[float]) -> float | None:
    """The mean over samples of |mean p(TP) - share of TP| in their bin; None without a sample.

    It looks at p(TP), not at the confidence of the decided class, since thresholds act on p(TP);
    15 bins of equal width.
    Source: Naeini et al., AAAI 2015; Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    if not len(truth):
        return None
    gaps = [
        each.count * abs(each.mean_p - each.share_tp)
        for each in reliability(truth, p_tp)
        if each.mean_p is not None and each.share_tp is not None
    ]
    return sum(gaps) / len(truth)


def bins_of(p_tp: npt.NDArray[np.float64], bins: int = BINS) -> npt.NDArray[np.intp]:
    """The bin that each p(TP) falls into, counted from 0; shape [n]."""
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(inner, p_tp, side="left")
