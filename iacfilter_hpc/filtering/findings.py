"""Findings: which rows of a filtered report count, and so are shown and end a build.

A finding is a row that is kept, of a smell that is asked for. Whether one that was not judged is a
finding is for the user to say; in the filtered report it stands in any case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.report import BadRow
from iacfilter_hpc.samples.smells import smell_of_words


class Unjudged(StrEnum):
    """What becomes of rows that no model has judged."""

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
        # what has a p(TP) and is kept all the same was judged, whoever overruled the model
        is_judged = row.decision is not None or row.p_tp is not None
        return self._selects(row) and (is_judged or self.unjudged is Unjudged.KEEP)

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
