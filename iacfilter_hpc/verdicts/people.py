"""People: the rows of a report that they have decided, as a filter asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.glitch.decisions import DecidedRow, Person
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.report import Detection
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.verdicts.anchor import Anchored, Expiry, anchor
from iacfilter_hpc.verdicts.finding import Place
from iacfilter_hpc.verdicts.records import read_records
from iacfilter_hpc.verdicts.repository import ReportedPlaces, find_verdicts
from iacfilter_hpc.verdicts.verdict import LABEL, VERDICT, Decision, Verdict, newest, strongest

UNSURE = Reason(Cause.UNSURE, "a person is unsure")


@dataclass(frozen=True, slots=True)
class People:
    """People's verdicts on the findings of a report: those that stand, and those that do not.

    Once a verdict that is no FP has expired, lines that still have its text are kept: a model must
    not remove without a word what a person has called real.
    """

    path: Path
    anchored: Anchored[Verdict]
    _places: ReportedPlaces
    _doubted: Mapping[Place, Verdict]

    @property
    def standing(self) -> int:
        """How many verdicts hold today, whether this report has their rows or not."""
        return len(self.anchored.standing)

    @property
    def expired(self) -> dict[Expiry, int]:
        """How many verdicts hold no more, by the reason."""
        return dict(Counter(each.why for each in self.anchored.expired))

    @property
    def lost(self) -> int:
        """How many verdicts that are no FP have expired and fit no line, so that none is kept."""
        return sum(
            each.finding.decision != Decision.FP and not each.where
            for each in self.anchored.expired
        )

    def decided(self, judged: Iterable[DecidedRow]) -> list[DecidedRow]:
        """The rows as people have decided them, where they have."""
        return [self.decide(each) for each in judged]

    def decide(self, judged: DecidedRow) -> DecidedRow:
        """The row as a person has decided it, or as it was where none has."""
        found = judged.row.found
        place = self._places.of(found) if isinstance(found, Detection) else None
        if place is None or (judged.reason and judged.reason.cause is Cause.NOT_CHOSEN):
            return judged
        # on GLITCH's words, and on the line as a whole: the more careful one counts
        standing = (self.anchored.standing.get(each) for each in (place, place.whole_line))
        if verdict := strongest(each for each in standing if each):
            return _decided(judged, verdict)
        verdict = self._doubted.get(place.whole_line)
        if verdict and judged.decision == "FP":
            text = f"a person's verdict {verdict.decision} on this line has expired"
            reason = Reason(Cause.EXPIRED_VERDICT, text)
            return replace(judged, p_tp=None, decision=None, reason=reason)
        return judged


def read_people(scripts: Scripts, named: Path | None) -> People | None:
    """The verdicts on findings in scripts; None if no file is named and there is none.

    Raises:
        UsageError: the file that is named is missing, or is none.
        DataError: the file cannot be read, or has lines that are no verdicts; each is named.
    """
    kept = find_verdicts(scripts.folder, named)
    if not kept.path.exists():
        if named is None:
            return None
        raise UsageError(
            f"--verdicts {named} is not there", hint="iacfilter-label makes it, label by label"
        )
    anchored = anchor(newest(read_records(kept.path, VERDICT)), kept.repository)
    doubted = {
        place.whole_line: each.finding
        for each in anchored.expired
        if each.finding.decision != Decision.FP
        for place in each.where
    }
    return People(kept.path, anchored, kept.repository.places(scripts), doubted)


def _decided(judged: DecidedRow, verdict: Verdict) -> DecidedRow:
    person = Person(verdict.by, verdict.at, verdict.note)
    label = LABEL.get(verdict.decision)
    reason = UNSURE if label is None else None
    return replace(judged, person=person, p_tp=None, decision=label, reason=reason)
