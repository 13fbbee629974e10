"""The interval of a share."""

from __future__ import annotations

from scipy.stats import binomtest


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of `hits` among `count` independent tries; `count` is positive."""
    found = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
