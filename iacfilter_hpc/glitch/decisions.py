"""Decisions: the rows of a report with what a model makes of each, and counts of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.report import BadRow
from iacfilter_hpc.glitch.rows import Row

if TYPE_CHECKING:
    from iacfilter_hpc.samples.sample import Label, Sample

OTHER = "other"
"""Counts under this name rows that are none at all."""


@dataclass(frozen=True, slots=True)
class Person:
    """Person who has decided about a row: their name, when (ISO 8601), and a note of theirs."""

    name: str
    at: str
    note: str | None


@dataclass(frozen=True, slots=True)
class DecidedRow:
    """A row with p(TP) and decision, or with the reason why it has none: such a row is kept.

    `file` is the script's path below the scripts' folder, None if it leads elsewhere. `person` is
    who has decided, None where the model has: then alone there is a p(TP).
    """

    row: Row
    file: str | None
    sample: Sample | None
    p_tp: float | None = None
    decision: Label | None = None
    reason: Reason | None = None
    person: Person | None = None

    @property
    def smell(self) -> str | None:
        """Our name of what was reported, None if it is none of our smells."""
        return None if isinstance(self.row.found, BadRow) else self.row.found.smell

    @property
    def counted_as(self) -> str:
        """The name under which the row is counted: its smell, else GLITCH's own code."""
        found = self.row.found
        return OTHER if isinstance(found, BadRow) else found.smell or found.code


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of rows by outcome; `unjudged` have no decision."""

    tp: int = 0
    fp: int = 0
    unjudged: int = 0

    @property
    def rows(self) -> int:
        """All rows."""
        return self.tp + self.fp + self.unjudged

    @property
    def kept(self) -> int:
        """Rows that a filtered report holds: what is not judged is kept."""
        return self.tp + self.unjudged


@dataclass(slots=True)
class Tally:
    """Counts as rows go by; blank lines are no rows."""

    _outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    _reasons: Counter[str] = field(default_factory=Counter)
    _causes: Counter[Cause] = field(default_factory=Counter)
    _people: Counter[str] = field(default_factory=Counter)

    def add(self, judged: Iterable[DecidedRow]) -> None:
        """Count some rows."""
        for each in judged:
            if each.row.is_blank:
                continue
            # counts and not rows: a report may have more rows than memory
            self._outcomes[each.counted_as, each.decision or ""] += 1
            if each.person is not None:
                self._people[each.decision or ""] += 1
            if each.reason is not None:
                # every row has its own line number, and a reason a row would be no summary
                self._reasons[each.reason.kind or each.reason.text] += 1
                self._causes[each.reason.cause] += 1

    def total(self) -> Counts:
        """Counts of all rows."""
        return self._counts(smell for smell, _ in self._outcomes)

    def by_smell(self) -> dict[str, Counts]:
        """Counts of each smell that occurs, and of each code that is of none."""
        return {smell: self._counts([smell]) for smell in sorted({s for s, _ in self._outcomes})}

    def reasons(self) -> dict[str, int]:
        """Why rows were not judged, most frequent first; N stands for any number."""
        return dict(self._reasons.most_common())

    def by_people(self) -> Counts:
        """Counts of the rows that people have decided; `unjudged` are those they are unsure of."""
        return Counts(self._people["TP"], self._people["FP"], self._people[""])

    def because(self, cause: Cause) -> int:
        """Rows that were not judged because of this."""
        return self._causes[cause]

    def _counts(self, smells: Iterable[str]) -> Counts:
        chosen = set(smells)
        tp, fp, unjudged = (
            sum(n for (smell, d), n in self._outcomes.items() if d == outcome and smell in chosen)
            for outcome in ("TP", "FP", "")
        )
        return Counts(tp, fp, unjudged)
