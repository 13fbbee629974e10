"""Removal as a whole: a report of which a smell, or too large a share, would go is kept.

One wrong number in a threshold, or a model that has learned that a smell is always false, shows in
nothing but that: every row of the smell is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from iacfilter_hpc.filtering.safety.guard import SafetyOptions
from iacfilter_hpc.glitch.decisions import Counts, DecidedRow, Tally
from iacfilter_hpc.glitch.reasons import Cause, Reason

MIN_ROWS = 5
"""Judged rows from which on a whole smell is suspicious: about half of what GLITCH reports is real
(59 of 121 in its oracle), so five rows without a real one come by chance in one report of thirty.
"""


@dataclass(frozen=True, slots=True)
class Spared:
    """Smells whose rows stay although the model would remove them, each with the reason."""

    reasons: Mapping[str, Reason]

    def applied(self, judged: Sequence[DecidedRow]) -> list[DecidedRow]:
        """Rows with their decisions, or with the reason why they stay."""
        return [self._applied(each) for each in judged]

    def _applied(self, each: DecidedRow) -> DecidedRow:
        reason = self.reasons.get(each.smell or "") if each.decision == "FP" else None
        return each if reason is None else replace(each, decision=None, p_tp=None, reason=reason)


def spare(tally: Tally, options: SafetyOptions) -> Spared:
    """What must stay of a report whose rows would be decided as counted."""
    counts = {
        smell: each
        for smell, each in tally.by_smell().items()
        if each.fp and smell not in options.yes_remove
    }
    whole = {smell: _whole(each) for smell, each in counts.items() if _is_whole(each)}
    judged, removed = _judged(tally, options), sum(each.fp for each in counts.values())
    if removed < MIN_ROWS or removed <= options.max_removed * judged:
        return Spared(whole)
    text = (
        f"{removed} of {judged} judged rows would be removed: more than {options.max_removed:.0%}"
    )
    return Spared(dict.fromkeys(counts, Reason(Cause.TOO_MANY, text)) | whole)


def _is_whole(counts: Counts) -> bool:
    return counts.tp == 0 and counts.fp >= MIN_ROWS


def _whole(counts: Counts) -> Reason:
    return Reason(Cause.WHOLE_SMELL, f"all {counts.fp} judged rows of the smell would be removed")


def _judged(tally: Tally, options: SafetyOptions) -> int:
    """Judged rows of the smells that nobody has given free."""
    smells = tally.by_smell().items()
    return sum(each.tp + each.fp for smell, each in smells if smell not in options.yes_remove)
