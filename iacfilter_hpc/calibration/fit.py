"""Fit of a calibration by nested family folds: inner ones choose, outer ones judge.

What is reported of a sample never rests on its own family: form, penalty, weights and threshold
come from the other outer folds, in which inner folds have chosen among held-out scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from iacfilter_hpc.calibration.forms import FORMS, VOTE, Choice, Form, choices
from iacfilter_hpc.evaluation.crossfit import Split, inner_folds, split_groups
from iacfilter_hpc.labelling.functions import LabellingFunction
from iacfilter_hpc.labelling.label_model import fit_label_model
from iacfilter_hpc.samples.sample import Label, Sample
from iacfilter_hpc.trained_model.calibration import SIGNS, Term, TermKind, facts_of
from iacfilter_hpc.training.calibrate import EDGE, choose_threshold

Floats = npt.NDArray[np.float64]

PARTITIONS = 3
"""Partitions into inner folds whose held-out scores are averaged: one alone is a matter of luck."""


@dataclass(frozen=True, slots=True)
class Table:
    """Facts of labelled samples: a row a sample, a column a term that a calibration may have."""

    samples: tuple[Sample, ...]
    columns: tuple[tuple[TermKind, str], ...]
    facts: Floats

    @property
    def is_tp(self) -> npt.NDArray[np.bool_]:
        """The labels; shape [samples]."""
        return np.array([sample.label == "TP" for sample in self.samples])

    def rows(self, chosen: Sequence[int]) -> Table:
        """The table of some of the samples."""
        return Table(tuple(self.samples[i] for i in chosen), self.columns, self.facts[list(chosen)])


def table_of(
    samples: Sequence[Sample], log_odds: Sequence[float], functions: Sequence[LabellingFunction]
) -> Table:
    """Table of samples whose own log-odds, after temperature, are these."""
    found = [facts_of(*row, functions) for row in zip(samples, log_odds, strict=True)]
    # sorted: the same samples give the same weights, whatever their order
    columns = tuple(sorted({column for facts in found for column in facts}))
    values = [[facts.get(column, 0.0) for column in columns] for facts in found]
    return Table(tuple(samples), columns, np.array(values, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Fitted:
    """Fitted calibration: what was chosen, intercept and weights (0 for columns it lacks)."""

    choice: Choice
    intercept: float
    weights: Floats
    threshold: float

    def log_odds(self, table: Table) -> Floats:
        """Calibrated log-odds; shape [samples]."""
        return np.asarray(table.facts @ self.weights + self.intercept, dtype=np.float64)

    def terms(self, table: Table) -> tuple[Term, ...]:
        """Terms that weigh anything."""
        pairs = zip(table.columns, self.weights.tolist(), strict=True)
        return tuple(Term(kind, name, weight) for (kind, name), weight in pairs if weight)


@dataclass(frozen=True, slots=True)
class Judged:
    """p(TP) and threshold of each sample, from outer folds without it, and what each has chosen."""

    p_tp: tuple[float, ...]
    thresholds: tuple[float, ...]
    fits: tuple[Fitted, ...]

    @property
    def decided(self) -> list[bool]:
        """Whether each sample is decided TP."""
        return [p >= t for p, t in zip(self.p_tp, self.thresholds, strict=True)]


def judge(
    table: Table, folds: int, seed: int, forms: tuple[Form, ...] = FORMS, flag: str = "--folds"
) -> Judged:
    """Judge a calibration of these samples, each by outer folds that do not hold it.

    Raises:
        UsageError: too few families or labels for so many folds; the message names `flag`.
    """
    p_tp, thresholds = np.zeros(len(table.samples)), np.zeros(len(table.samples))
    fits = []
    for split in split_groups(table.samples, folds, seed, flag):
        fitted = fit(table.rows(split.inside), seed, forms)
        held_out = list(split.outside)
        p_tp[held_out] = expit(fitted.log_odds(table.rows(held_out)))
        thresholds[held_out] = fitted.threshold
        fits.append(fitted)
    return Judged(tuple(p_tp.tolist()), tuple(thresholds.tolist()), tuple(fits))


def fit(table: Table, seed: int, forms: tuple[Form, ...] = FORMS) -> Fitted:
    """Fit to all of the table; its inner folds choose form and penalty, and its labels a threshold.

    Raises:
        UsageError: too few families or labels for inner folds.
    """
    partitions = [inner_folds(table.samples, seed + number) for number in range(PARTITIONS)]
    possible, shares = choices(forms), vote_shares(table)
    bases = [_basis(table, choice.form, shares) for choice in possible]
    held_out = [
        _held_out(table, choice, basis, partitions)
        for choice, basis in zip(possible, bases, strict=True)
    ]
    best = _simplest_of_the_best(
        [_losses(odds, table.is_tp) for odds in held_out],
        [sample.group for sample in table.samples],
    )
    intercept, weights = _weights(table, possible[best], bases[best])
    # on the fit itself: a dozen penalised numbers are hardly too sure of what they were fitted to,
    # while held-out scores of folds, each with an offset of its own, have no threshold in common
    odds = table.facts @ weights + intercept
    threshold = choose_threshold(expit(odds), table.is_tp).value
    return Fitted(possible[best], intercept, weights, threshold)


def vote_shares(table: Table) -> dict[str, float]:
    """Share of each labelling function in the weight of votes; labels have no part in it."""
    names = [(index, name) for index, (kind, name) in enumerate(table.columns) if kind == VOTE]
    signs: dict[float, Label] = {SIGNS["TP"]: "TP", SIGNS["FP"]: "FP"}
    votes = [{name: signs[row[i]] for i, name in names if row[i]} for row in table.facts.tolist()]
    return fit_label_model(votes).weights()


def _basis(table: Table, form: Form, shares: Mapping[str, float]) -> Floats:
    """What is fitted, each a weighted sum of columns; shape [columns, features]."""
    features = []
    votes = np.zeros(len(table.columns))
    for index, (kind, name) in enumerate(table.columns):
        feature = np.zeros(len(table.columns))
        if kind is TermKind.VOTE:
            votes[index] = shares.get(name, 0.0)
        elif kind in form.kinds:
            # log-odds of any model alike: the penalty is for weights of features of like size
            spread = float(table.facts[:, index].std()) if kind is TermKind.LOG_ODDS else 1.0
            feature[index] = 1 / max(spread, EDGE)
            features.append(feature)
    if TermKind.VOTE in form.kinds:
        features.append(votes)
    return np.array(features).T


def _held_out(
    table: Table, choice: Choice, basis: Floats, partitions: Sequence[Sequence[Split]]
) -> Floats:
    """Log-odds of each sample by fits without its family; shape [partitions, samples]."""
    found = np.zeros((len(partitions), len(table.samples)))
    for row, splits in zip(found, partitions, strict=True):
        for split in splits:
            intercept, weights = _weights(table.rows(split.inside), choice, basis)
            row[list(split.outside)] = table.facts[list(split.outside)] @ weights + intercept
    return found


def _weights(table: Table, choice: Choice, basis: Floats) -> tuple[float, Floats]:
    """Intercept and weights of the columns, of the least penalised cross entropy."""
    # newton-cholesky: exact to the last digits, so that no tolerance decides between forms
    model = LogisticRegression(C=1 / choice.penalty, solver="newton-cholesky")
    model.fit(table.facts @ basis, table.is_tp)
    return float(model.intercept_[0]), basis @ model.coef_[0]


def _losses(log_odds: Floats, is_tp: npt.NDArray[np.bool_]) -> Floats:
    """Cross entropy of each sample, the mean over partitions."""
    losses = np.logaddexp(0, np.where(is_tp, -log_odds, log_odds)).mean(axis=0)
    return np.asarray(losses, dtype=np.float64)


def _simplest_of_the_best(losses: Sequence[Floats], groups: Sequence[str]) -> int:
    """The first whose mean loss is within two standard errors of the least, over families.

    The least of several is lower than it will be on other samples, and more so of forms that fit
    more closely: of a hundred samples, the plain least chose forms that judged new families badly.
    One more number has to be better beyond chance.
    Source: Breiman et al., Classification and Regression Trees, 1984, section 3.4.3, whose rule is
    of one standard error; two are the usual level of a test.
    """
    best = min(losses, key=lambda each: float(each.mean()))
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    for number, each in enumerate(losses):
        excess = each - best
        by_family = np.bincount(member, weights=excess - excess.mean())
        if excess.mean() <= 2 * np.sqrt((by_family**2).sum()) / len(excess):
            return number
    raise AssertionError("the best is within its own error")
