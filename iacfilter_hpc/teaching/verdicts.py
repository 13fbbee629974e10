"""Verdicts of a teacher: what an answer says, and what the votes on a sample come to.

Nothing is guessed. An answer counts if its first or its last line is TP or FP and nothing else, and
a sample gets a label if more than half of all its votes agree on one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from iacfilter_hpc.runs.record_schema import NotAnObject, json_object
from iacfilter_hpc.samples.sample import Label

# `Answer: TP`, **FP**, {"label": "TP"}; but not "TP, unless ...", "TP?" or "!TP"
_AROUND = r"[\s*_`\"'.,:;()\[\]{}#>=-]*"
VERDICT = re.compile(
    rf"{_AROUND}(?:(?:my |the )?(?:final )?(?:answer|verdict|label|decision)(?:\s+is\b)?{_AROUND})?"
    rf"(?<![^\W_])(tp|fp){_AROUND}",
    re.IGNORECASE,
)
THINKING, THOUGHT = "<think>", "</think>"
"""Around what a reasoning model says to itself; servers may leave out the first."""
CUT = "length"
"""The reason to finish of an answer that was cut at max_tokens."""


class NoCompletion(Exception):
    """A text is not the answer of a chat completion; its message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Chat completion: the text, None where there is none, and the tokens that it took.

    Tokens are None where the endpoint does not count them.
    """

    text: str | None
    is_cut: bool
    prompt_tokens: int | None
    completion_tokens: int | None

    @property
    def verdict(self) -> Label | None:
        """What it says, None if that cannot be told."""
        return None if self.text is None else read_verdict(self.text, is_cut=self.is_cut)


def read_completion(raw: str) -> Completion:
    """The completion in the body of an answer.

    Raises:
        NoCompletion: it is none.
    """
    try:
        body = json_object(raw.encode())
    except NotAnObject as error:
        raise NoCompletion(str(error)) from error
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise NoCompletion("choices.0.message is missing")
    text, usage = message.get("content"), body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Completion(
        text=text if isinstance(text, str) else None,
        is_cut=choice.get("finish_reason") == CUT,
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
    )


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def read_verdict(text: str, *, is_cut: bool = False) -> Label | None:
    """The label that a text ends or begins with, alone in its line; None if it says none, or two.

    Of a text that `is_cut` the last line may go on otherwise than it begins.
    """
    said = text.rpartition(THOUGHT)[2]
    # a thought without an end: no answer was begun
    if THINKING in said:
        return None
    lines = [line for line in said.splitlines() if line.strip()]
    if is_cut:
        lines = lines[:-1]
    ends = (*lines[:1], *lines[-1:])
    found = {match[1].upper() for line in ends if (match := VERDICT.fullmatch(line))}
    if len(found) != 1:
        return None
    return "TP" if found == {"TP"} else "FP"


class NoLabel(StrEnum):
    """Reason why a sample got no label."""

    UNDECIDED = "votes do not agree"
    UNREADABLE = "no answer can be read"
    UNANSWERED = "not all was answered"


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes on a sample: how many of those `wanted` say what; the rest was not answered."""

    wanted: int
    tp: int
    fp: int
    unreadable: int

    @classmethod
    def of(cls, wanted: int, verdicts: Sequence[Label | None]) -> Votes:
        """Votes from the verdicts that there are, None for answers that cannot be read."""
        found = Counter(verdicts)
        return cls(wanted, found["TP"], found["FP"], found[None])

    @property
    def unanswered(self) -> int:
        """Votes for which there is no answer."""
        return self.wanted - self.tp - self.fp - self.unreadable

    @property
    def agreement(self) -> float:
        """The share of all votes that say what most of them say."""
        # of all: an answer that cannot be read is no support for what the others say
        return max(self.tp, self.fp) / self.wanted

    def decide(self, least: float) -> Label | NoLabel:
        """The label that more than half of all votes give, if that is at least the share `least`.

        There is no label by default, whatever is lacking.
        """
        if 2 * max(self.tp, self.fp) > self.wanted and self.agreement >= least:
            return "TP" if self.tp > self.fp else "FP"
        if self.unanswered:
            return NoLabel.UNANSWERED
        return NoLabel.UNDECIDED if self.tp or self.fp else NoLabel.UNREADABLE
