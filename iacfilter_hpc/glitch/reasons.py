"""Reasons why a row of a report is no sample, or is not judged: a cause, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Cause(Enum):
    """Cause that keeps a row from being a sample or from being judged."""

    BAD_ROW = auto()
    """It is no row of the report's form."""
    UNKNOWN_CODE = auto()
    """GLITCH's code is in no row of the table of smells."""
    OUTSIDE = auto()
    """Its path is not below the scripts' prefix, or leads out of their folder."""
    NOT_UTF8 = auto()
    """Its path is not UTF-8."""
    MISSING = auto()
    """There is no file of its path."""
    UNREADABLE = auto()
    """There is one, and it holds no text that can be read."""
    NO_SUCH_LINE = auto()
    MISMATCH = auto()
    """The line does not hold what GLITCH reports: the script is another one, or has changed."""
    NO_TECHNOLOGY = auto()
    """No flag names it, and the file's path says nothing."""
    TOO_LONG = auto()
    """Its sample is longer than a line of a sample file may be."""
    NOT_IN_ORACLE = auto()
    NOT_CHOSEN = auto()
    """Its smell is not among those that are asked for."""
    UNTRAINED_SMELL = auto()
    """The model was not trained on its smell."""
    UNTRAINED_TECHNOLOGY = auto()
    """The model was not trained on its technology."""
    UNKNOWN_TRAINING = auto()
    """The model does not say what it was trained on."""
    FEW_LABELS = auto()
    """The model saw too few real ones of its smell or technology."""
    LOW_RECALL = auto()
    """The model loses too many real ones of its smell, on its own validation data."""
    RULE = auto()
    """A rule of the user's keeps it, whatever the model says."""
    CREDENTIAL = auto()
    """It looks like a live credential."""
    UNLIKE_TRAINING = auto()
    """The model would remove it, and its line is unlike those of the training data."""
    WHOLE_SMELL = auto()
    """The model would remove every one of its smell."""
    TOO_MANY = auto()
    """The model would remove more of the report than it may."""
    CHANGED = auto()
    """Its script changed while the report was filtered."""
    NO_FIT = auto()
    """Its prompt is longer than the model takes, even without context."""
    NO_SCORE = auto()
    """The model's p(TP) is not a number."""
    UNSURE = auto()
    """A person has looked at it, and could not tell."""
    EXPIRED_VERDICT = auto()
    """A person has called it real, or could not tell, before it was changed."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause, for code that counts or decides, and `text`, for people and reports.

    `kind` is the text with N in place of its numbers, None where it has none: a summary counts rows
    that differ in nothing else as one.
    """

    cause: Cause
    text: str
    kind: str | None = None
