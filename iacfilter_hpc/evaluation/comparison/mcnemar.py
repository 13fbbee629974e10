"""Does one system decide more samples rightly than another? McNemar's exact test, with Holm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest


@dataclass(frozen=True, slots=True)
class McNemar:
    """How many samples one system alone decides rightly, and the two-sided p-value of that.

    `first_only` and `second_only` are the discordant counts, often written b and c.
    """

    first_only: int
    second_only: int
    p: float


def mcnemar(truth: Sequence[bool], first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """The exact test: were the systems equally good, each discordant sample would be a coin toss.

    It looks at right and wrong decisions only, so a lost TP weighs as much as a kept FP.
    Source: McNemar, Psychometrika 12, 1947; Dietterich, Neural Computation 10, 1998.
    """
    rows = list(zip(truth, first, second, strict=True))
    first_only = sum(one == real != two for real, one, two in rows)
    second_only = sum(two == real != one for real, one, two in rows)
    tosses = first_only + second_only
    p = float(binomtest(first_only, tosses).pvalue) if tosses else 1.0
    return McNemar(first_only, second_only, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value adjusted for all of them together, in the given order.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
