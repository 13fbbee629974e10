"""Safety of a filter: what keeps a row whatever the model says of it, and the options of that.

Before it is scored, a row whose smell or technology the model has not seen enough of; before it is
removed, one that a rule or the look of a live credential protects, or whose line is unlike the
training data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.filtering.safety.coverage import (
    MIN_RECALL,
    MIN_TRAIN_TP,
    MIN_VALIDATION_TP,
    Coverage,
    Minimum,
    coverage_of,
)
from iacfilter_hpc.filtering.safety.credentials import ABOVE, BELOW, Excerpt, find_credential
from iacfilter_hpc.filtering.safety.rules import Rules
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.scripts import Scripts, UnreadableScript
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.technologies import technology_of
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.known_text import Usual, usual_of
from iacfilter_hpc.trained_model.trained_on import FILE, find_trained_on

MAX_REMOVED = 0.8
"""More of what is judged is suspicious: of no smell of GLITCH's human-labelled oracle are more than
three in four false (hard-coded secrets, 47 of 63)."""
NAMES_ARE_BARE = frozenset(("chef", "terraform"))
"""Technologies in which a word without quotes is a name, and not a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyOptions:
    """What a filter may remove. `rules` None: those in the scripts' folder, if any.

    `yes_remove` are smells all of whose rows may go; `max_removed` is a share of the judged rows.
    """

    min_train_tp: int = MIN_TRAIN_TP
    min_validation_tp: int = MIN_VALIDATION_TP
    min_smell_recall: float = MIN_RECALL
    max_removed: float = MAX_REMOVED
    yes_remove: tuple[str, ...] = ()
    rules: Path | None = None
    allow_tiny: bool = False


class Kept(StrEnum):
    """Why rows without a decision are kept, as summaries tell it apart."""

    NOT_READ = "not_read"
    """No sample could be made of the row, or no number of the sample."""
    NOT_CHOSEN = "not_chosen"
    """Its smell is not asked for."""
    PERSON = "person"
    """A person is unsure, or has decided about a line that has changed since."""
    CHANGED = "changed"
    """Its script changed while the report was filtered."""
    NOT_LEARNED = "not_learned"
    """The model has not seen enough of its smell or technology."""
    RULE = "rule"
    CREDENTIAL = "live_credential"
    UNLIKE_TRAINING = "unlike_training"
    WHOLE_SMELL = "whole_smell"
    TOO_MANY = "too_many"


SAID = {
    Kept.NOT_CHOSEN: "its smell is not asked for",
    Kept.PERSON: "a person is unsure, or a person's verdict has expired",
    Kept.CHANGED: "its script changed while the report was filtered",
    Kept.NOT_READ: "could not be read or placed, or is no smell that models know",
    Kept.NOT_LEARNED: "the model has seen too little of its smell or technology",
    Kept.RULE: "a rule keeps it",
    Kept.CREDENTIAL: "looks like a live credential",
    Kept.UNLIKE_TRAINING: "unlike the training data",
    Kept.WHOLE_SMELL: "the whole smell would be removed",
    Kept.TOO_MANY: "too much would be removed",
}
CLASSES = {
    Cause.NOT_CHOSEN: Kept.NOT_CHOSEN,
    Cause.UNSURE: Kept.PERSON,
    Cause.EXPIRED_VERDICT: Kept.PERSON,
    Cause.CHANGED: Kept.CHANGED,
    Cause.UNTRAINED_SMELL: Kept.NOT_LEARNED,
    Cause.UNTRAINED_TECHNOLOGY: Kept.NOT_LEARNED,
    Cause.UNKNOWN_TRAINING: Kept.NOT_LEARNED,
    Cause.FEW_LABELS: Kept.NOT_LEARNED,
    Cause.LOW_RECALL: Kept.NOT_LEARNED,
    Cause.RULE: Kept.RULE,
    Cause.CREDENTIAL: Kept.CREDENTIAL,
    Cause.UNLIKE_TRAINING: Kept.UNLIKE_TRAINING,
    Cause.WHOLE_SMELL: Kept.WHOLE_SMELL,
    Cause.TOO_MANY: Kept.TOO_MANY,
}
"""Classes of causes; all others are NOT_READ."""
CHANGED = Reason(Cause.CHANGED, "its script changed while the report was filtered")
UNLIKE = Reason(Cause.UNLIKE_TRAINING, "its line is unlike those of the training data")


@dataclass(frozen=True, slots=True)
class Guard:
    """Guard of a filter; `usual` None where the model does not say which text it knows."""

    coverage: Coverage
    rules: Rules
    usual: Usual | None
    scripts: Scripts

    def abstention(self, sample: Sample, detail: str) -> Reason | None:
        """Why a row is not to be judged at all, None if it may be."""
        # both: a flag must not make of an unseen technology one that is judged
        technologies = {sample.technology, technology_of(sample.file) or sample.technology}
        lack = self.coverage.lack(sample.smell, sorted(technologies))
        return lack and (self.protection(sample, detail) or lack)

    def objection(self, sample: Sample, detail: str) -> Reason | None:
        """Why a row must not be removed though the model would, None if it may be."""
        if reason := self.protection(sample, detail):
            return reason
        is_usual = self.usual is None or self.usual.holds(sample.content)
        return None if is_usual else UNLIKE

    def protection(self, sample: Sample, detail: str) -> Reason | None:
        """The rule, or the look of a live credential, that keeps a row whatever the model says."""
        return self.rule(sample, detail) or self.credential(sample, detail)

    def rule(self, sample: Sample, detail: str) -> Reason | None:
        """The rule that keeps a row, None if none does."""
        rule = self.rules.rule_for(sample.smell, sample.file, (sample.content, detail))
        return Reason(Cause.RULE, f"the rule {rule.name} keeps it") if rule else None

    def credential(self, sample: Sample, detail: str) -> Reason | None:
        """What on a row's line looks like a live credential, None if nothing does."""
        if not self.rules.keeps_credentials:
            return None
        excerpt = self._excerpt(sample, detail)
        if excerpt is None:
            return CHANGED
        what = find_credential(excerpt)
        if what is None:
            return None
        return Reason(Cause.CREDENTIAL, f"looks like a live credential: {what}")

    def _excerpt(self, sample: Sample, detail: str) -> Excerpt | None:
        """The reported line with its neighbours; None if it is no longer what was judged."""
        # of the script and not of the sample: a heredoc is longer than a context
        number = sample.line
        try:
            lines = self.scripts.lines(sample.file)
        except UnreadableScript:
            return None
        if number > len(lines) or lines[number - 1].strip() != sample.content:
            return None
        return Excerpt(
            line=lines[number - 1],
            above=lines[max(0, number - 1 - ABOVE) : number - 1],
            below=lines[number : number + BELOW],
            detail=detail,
            names_bare=sample.technology in NAMES_ARE_BARE,
            is_secret=sample.smell == "hard_coded_secret",
        )


def guard_of(
    final: Path,
    decision: Decision,
    threshold: float,
    options: SafetyOptions,
    rules: Rules,
    scripts: Scripts,
) -> Guard:
    """The guard of a filter with the model in a directory, which keeps what has `threshold`.

    Raises:
        TrainingError: the model's record or its calibration is damaged.
    """
    minimum = Minimum(
        train_tp=options.min_train_tp,
        validation_tp=options.min_validation_tp,
        recall=options.min_smell_recall,
    )
    coverage = coverage_of(final, decision, threshold, minimum)
    return Guard(coverage, rules, _usual(final), scripts)


def _usual(final: Path) -> Usual | None:
    record = find_trained_on(final)
    try:
        return None if record is None else usual_of(record.text)
    except ValueError as error:
        raise TrainingError(f"{final / FILE}: text.trigrams is damaged: {error}") from error
