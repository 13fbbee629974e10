"""Whether a run fits a GPU, how much of it would, and what could be changed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from iacfilter_hpc.config import RunConfig
from iacfilter_hpc.plan.architecture import Architecture
from iacfilter_hpc.plan.cards import COMMON, Card
from iacfilter_hpc.plan.changes import DEEPSPEED, KINDS, Change, at_once, step_batches
from iacfilter_hpc.plan.memory import memory
from iacfilter_hpc.plan.recorded import Correction
from iacfilter_hpc.plan.setting import setting_of

Verdict = Literal["fits", "tight", "will not fit"]
COMFORTABLE = 0.85
"""Share of a card up to which a run fits: the rest is for fragments and what was estimated low."""
TIGHT = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run of this model needs, whatever its settings, as far as runs so far have shown."""

    architecture: Architecture
    correction: Correction

    def total(self, config: RunConfig) -> int:
        """Bytes a GPU; what is corrected is the part that depends on the samples."""
        need = memory(self.architecture, setting_of(config))
        return need.total + round(need.inexact * (self.correction.factor - 1))

    def fits(self, config: RunConfig, card: Card) -> bool:
        """Whether the run fits the card with room to spare."""
        return judge(self.total(config), card) == "fits"


def judge(total: int, card: Card) -> Verdict:
    """How a need in bytes goes with a card."""
    share = total / card.size
    if share <= COMFORTABLE:
        return "fits"
    return "tight" if share <= TIGHT else "will not fit"


def smallest_card(total: int) -> Card | None:
    """The smallest of the common sizes that a need in bytes fits; None if it fits none."""
    sizes = (Card(None, size) for size in COMMON)
    return next((card for card in sizes if judge(total, card) == "fits"), None)


def smallest_stage(estimate: Estimate, config: RunConfig, card: Card) -> int | None:
    """The lowest ZeRO stage that fits with the other settings as they are; None if none does."""
    stages = {n: Change({DEEPSPEED: f"zero{n}"}).applied(config) for n in range(4)}
    return next((n for n, changed in stages.items() if estimate.fits(changed, card)), None)


def largest_batch(estimate: Estimate, config: RunConfig, card: Card) -> int:
    """The most samples a GPU can take at once with the other settings as they are; 0 if none."""

    def fits(samples: int) -> bool:
        return estimate.fits(at_once(config, samples).applied(config), card)

    high = 1
    while fits(high):
        high *= 2
    # the first size that does not fit lies above high // 2, which does
    return high // 2 + bisect_left(range(high // 2 + 1, high), True, key=lambda n: not fits(n))


def step_batch(estimate: Estimate, config: RunConfig, card: Card) -> Change | None:
    """The largest micro-batch that fits and that an optimizer step can be made of; None if none is.

    The step sees as many samples as it did: accumulation makes up for the difference.
    """
    largest = largest_batch(estimate, config, card)
    found = (change for change in step_batches(config) if change.batch <= largest)
    return next(found, None)


def smallest_change(estimate: Estimate, config: RunConfig, card: Card) -> Change | None:
    """The first change that makes a run fit; None if nothing does.

    Of one kind alone, else of each kind on top of the strongest of those before it.
    """
    for kind in KINDS:
        for change in kind(config):
            if estimate.fits(change.applied(config), card):
                return change
    before = Change({})
    for kind in KINDS:
        together = [before.then(change) for change in kind(before.applied(config))]
        for change in together:
            if estimate.fits(change.applied(config), card):
                return change
        before = together[-1] if together else before
    return None
