"""Reasons why a row of a report is no sample, or is not judged: a cause, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Cause(Enum):
    """Cause that keeps a row from being a sample or from being judged."""

    BAD_ROW = auto()
    """It is no row of the report's form."""
    UNKNOWN_CODE = auto()
    """GLITCH's code is none of our smells."""
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
    """No flag names it, and the file's extension says nothing."""
    TOO_LONG = auto()
    """Its sample is longer than a line of a sample file may be."""
    NOT_IN_ORACLE = auto()
    NOT_CHOSEN = auto()
    """Its smell is not among those that are asked for."""
    UNTRAINED_SMELL = auto()
    """The model was not trained on its smell."""
    NO_FIT = auto()
    """Its prompt is longer than the model takes, even without context."""
    NO_SCORE = auto()
    """The model's p(TP) is not a number."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause, for code that counts or decides, and `text`, for people and reports.

    `kind` is the text with N in place of its numbers, None where it has none: a summary counts rows
    that differ in nothing else as one.
    """

    cause: Cause
    text: str
    kind: str | None = None
