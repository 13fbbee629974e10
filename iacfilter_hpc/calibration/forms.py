"""Forms of calibration: which terms each has, and how strongly their weights are held to 0.

All votes have one weight, shared out by the log-odds of a function's being right, which the label
model finds without labels: a weight each would be more numbers than a hundred samples can fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from iacfilter_hpc.trained_model.calibration import TermKind


@dataclass(frozen=True, slots=True)
class Form:
    """Form of a calibration: the kinds of its terms, and the penalties that folds choose from."""

    name: str
    kinds: frozenset[TermKind]
    penalties: tuple[float, ...]


PENALTIES = (1.0, 10.0)
"""Of the squared weights: of 100 samples, 1 holds a weight hardly, 10 halves it and more."""

LOG_ODDS, VOTE, SMELL, TECHNOLOGY = TermKind
FORMS = (
    # of two numbers, which a hundred samples fit well: Platt, Probabilistic Outputs for Support
    # Vector Machines, 1999
    Form("offset and scale", frozenset({LOG_ODDS}), (1.0,)),
    Form("log-odds and smell", frozenset({LOG_ODDS, SMELL}), PENALTIES),
    Form("log-odds and votes", frozenset({LOG_ODDS, VOTE}), PENALTIES),
    Form("log-odds, votes, smell and technology", frozenset(TermKind), PENALTIES),
)
"""Every form, simplest first: of equals the first is chosen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A form with one of its penalties."""

    form: Form
    penalty: float


def choices(forms: tuple[Form, ...] = FORMS) -> tuple[Choice, ...]:
    """What folds choose from."""
    return tuple(Choice(form, penalty) for form in forms for penalty in form.penalties)
