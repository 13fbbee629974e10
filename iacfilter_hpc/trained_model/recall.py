"""Recall of real smells with its lower confidence bound over families, at a threshold.

Samples of one family (a repository, its forks and near-copies) are no independent witnesses. The
bound takes those of a family as if they were all alike: as many tries as Kish's effective size says,
(sum of n)^2 / sum of n^2, in Clopper and Pearson's bound. That is the cautious end; how alike they
are cannot be told from a few families.

Sources: Kish, Survey Sampling, 1965, section 8.2; Clopper and Pearson, Biometrika 26, 1934.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scipy.stats import beta

from iacfilter_hpc.trained_model.trained_on import Recall, ScoredLabel

ERROR = 0.05
"""How often the true recall may lie below the bound."""


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
    tries = sum(sizes) ** 2 / sum(size**2 for size in sizes)
    hits = kept / sum(sizes) * tries
    return float(beta.ppf(ERROR, hits, tries - hits + 1))


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
