"""Findings: which rows of a filtered report count, and so are shown and end a build.

A finding is a row that is kept, of a smell that is asked for. Whether one that no model could judge
is a finding is for the user to say; in the filtered report it stands in any case. What is kept for
any other reason, as it looks like a credential, say, is a finding whatever the user says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.reasons import Cause
from iacfilter_hpc.glitch.report import BadRow
from iacfilter_hpc.samples.smells import smell_of_words

NOBODY_COULD_JUDGE = frozenset(
    {
        Cause.BAD_ROW,
        Cause.UNKNOWN_CODE,
        Cause.OUTSIDE,
        Cause.NOT_UTF8,
        Cause.MISSING,
        Cause.UNREADABLE,
        Cause.NO_SUCH_LINE,
        Cause.MISMATCH,
        Cause.NO_TECHNOLOGY,
        Cause.TOO_LONG,
        Cause.UNTRAINED_SMELL,
        Cause.UNTRAINED_TECHNOLOGY,
        Cause.UNKNOWN_TRAINING,
        Cause.FEW_LABELS,
        Cause.LOW_RECALL,
        Cause.NO_FIT,
        Cause.NO_SCORE,
    }
)
"""Reasons under which a row may be ignored; a reason that is not here makes it a finding."""


class Unjudged(StrEnum):
    """What becomes of rows that no model could judge."""

    KEEP = "keep"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Findings:
    """Rule of what counts. `smells` None: all of them."""

    smells: frozenset[str] | None = None
    unjudged: Unjudged = Unjudged.KEEP

    def counts(self, row: DecidedRow) -> bool:
        """Whether a row is a finding."""
        if row.row.is_blank or row.decision == "FP":
            return False
        may_be_ignored = row.reason is not None and row.reason.cause in NOBODY_COULD_JUDGE
        return self._selects(row) and not (may_be_ignored and self.unjudged is Unjudged.IGNORE)

    def shows(self, row: DecidedRow) -> bool:
        """Whether a log is to hold a row: a finding, or what was judged to be none."""
        return self.counts(row) or row.decision == "FP" or isinstance(row.row.found, BadRow)

    def _selects(self, row: DecidedRow) -> bool:
        # a row that cannot be read may be of any smell
        is_bad = isinstance(row.row.found, BadRow)
        return self.smells is None or is_bad or row.smell in self.smells


def known_smells(words: Iterable[str]) -> tuple[frozenset[str], list[str]]:
    """The smells that some words stand for, and the words that stand for none."""
    found = {word: smell_of_words(word) for word in words}
    unknown = [word for word, smell in found.items() if smell is None]
    return frozenset(smell for smell in found.values() if smell), unknown
