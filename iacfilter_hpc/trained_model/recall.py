"""Recall of real smells with its lower confidence bound over families, at a threshold.

Samples of one family (a repository, its forks and near-copies) are no independent witnesses. The
bound takes those of a family as if they were all alike: as many tries as Kish's effective size
says, (sum of n)^2 / sum of n^2, rounded down, in Clopper and Pearson's bound. That is the cautious
end; how alike they are cannot be told from a few families.

Sources: Kish, Survey Sampling, 1965, section 8.2; Clopper and Pearson, Biometrika 26, 1934.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from iacfilter_hpc.trained_model.trained_on import Recall, ScoredLabel

ERROR = 0.05
"""How often the true recall may lie below the bound."""
PRECISION = 1e-6


def recalls(scores: Sequence[ScoredLabel], threshold: float) -> tuple[Recall, ...]:
    """Recall of all, then of each smell that has a real one."""
    real = [each for each in scores if each.is_tp]
    smells = sorted({each.smell for each in real})
    return (
        _recall(None, real, threshold),
        *(_recall(smell, [e for e in real if e.smell == smell], threshold) for smell in smells),
    )


def lower_bound(kept: int, sizes: Sequence[int]) -> float:
    """Lower 95 % bound of the share that `kept` is of families of so many real ones each."""
    if not kept:
        return 0.0
    real = sum(sizes)
    tries = real**2 // sum(size**2 for size in sizes)
    return share_at_least(kept * tries // real, tries)


def share_at_least(hits: int, tries: int) -> float:
    """Clopper and Pearson's lower 95 % bound of a share; 0 where nothing was hit."""
    low, high = 0.0, 1.0 if hits else 0.0
    # by halving, as scipy is more than a filter needs: the chance of so many hits grows with the
    # share
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(hits, tries, middle) < ERROR else (low, middle)
    return low


def _chance(hits: int, tries: int, share: float) -> float:
    """The chance of at least so many hits."""
    return sum(
        math.comb(tries, n) * share**n * (1 - share) ** (tries - n) for n in range(hits, tries + 1)
    )


def tries_for(recall: float) -> int | None:
    """Real ones, each of a family of its own, of which none may be lost for a bound of `recall`.

    None if no number is enough.
    """
    return None if recall == 1 else math.ceil(math.log(ERROR) / math.log(recall))


def _recall(smell: str | None, real: Sequence[ScoredLabel], threshold: float) -> Recall:
    sizes = Counter(each.group for each in real)
    kept = sum(each.p_tp >= threshold for each in real)
    return Recall(
        smell=smell,
        real=len(real),
        kept=kept,
        groups=len(sizes),
        are_families=all(each.is_family for each in real),
        low=lower_bound(kept, list(sizes.values())),
    )
