"""Label model: how often each labelling function is right, and what its votes say together.

Expectation-maximisation over the unknown labels: each function has one accuracy, better than a coin
and short of certain, and an abstention says nothing. Votes count by the log-odds of being right, so
two weak functions do not outvote a good one. Functions are taken for independent given the label,
which those that look at the same words are not: a posterior is surer than it should be. Where
functions of one vote never meet those of the other, no votes tell how many samples are TP: the
share is taken for a half, not fitted, which would end in one class.

Sources: Dawid and Skene, Applied Statistics 28, 1979; Ratner et al., Snorkel, VLDB 11, 2017.
(`snorkel` on PyPI needs torch, tensorboard and pandas, and has had no release since 0.10.0.)
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iacfilter_hpc.labelling.functions import LabellingFunction, votes_of
from iacfilter_hpc.samples.sample import Label, Sample

ROUNDS = 100
ENOUGH = 1e-6
"""Change of every accuracy below which another round would change no label."""
# a Beta(7, 3): that functions are better than a coin is what tells the two classes apart
RIGHT, WRONG = 7.0, 3.0
LEAST, MOST = 0.55, 0.95
"""Bounds of accuracies."""

Votes = Mapping[str, Label]
Pattern = frozenset[tuple[str, Label]]
"""Votes as a key."""


@dataclass(frozen=True, slots=True)
class LabelModel:
    """Label model: the accuracy of each function, by name."""

    accuracy: Mapping[str, float]

    def p_tp(self, votes: Votes) -> float:
        """The chance of TP, given the votes of those that did not abstain."""
        odds = sum(
            _log_odds(self.accuracy[name]) * (1 if vote == "TP" else -1)
            for name, vote in votes.items()
        )
        return 1 / (1 + math.exp(-odds))

    def weights(self) -> dict[str, float]:
        """What a vote of each function counts: the log-odds of its being right."""
        return {name: _log_odds(accuracy) for name, accuracy in self.accuracy.items()}


@dataclass(frozen=True, slots=True)
class WeakLabel:
    """Weak label of a sample: the chance of TP, and whether any function has voted."""

    p_tp: float
    is_voted: bool

    @property
    def label(self) -> Label | None:
        """The more probable label; None where nobody has voted or both are as probable."""
        if not self.is_voted or self.p_tp == 0.5:
            return None
        return "TP" if self.p_tp > 0.5 else "FP"

    @property
    def confidence(self) -> float:
        """The chance that the label is right."""
        return max(self.p_tp, 1 - self.p_tp)


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """What is known of a function on some samples; shares are None where it has none to count.

    `conflicts` counts votes against which another function voted. `right` is the share of its votes
    that are the samples' own labels, `estimated` what the label model takes it for.
    """

    function: LabellingFunction
    votes: int
    conflicts: int
    right: float | None
    estimated: float | None


@dataclass(frozen=True, slots=True)
class WeakLabels:
    """Weak labels of samples, in their order, and a report on each function."""

    labels: tuple[WeakLabel, ...]
    reports: tuple[FunctionReport, ...]


def weak_labels(functions: Sequence[LabellingFunction], samples: Sequence[Sample]) -> WeakLabels:
    """Label samples by the votes of the functions; labels that they have are not looked at."""
    votes = [votes_of(functions, sample) for sample in samples]
    model = fit_label_model(votes)
    labels = tuple(WeakLabel(model.p_tp(found), bool(found)) for found in votes)
    reports = tuple(_report(function, samples, votes, model) for function in functions)
    return WeakLabels(labels, reports)


def fit_label_model(votes: Sequence[Votes]) -> LabelModel:
    """Label model of the votes on each of some samples."""
    # samples of the same votes are alike: there are few such patterns in any corpus
    patterns = Counter(frozenset(found.items()) for found in votes)
    names = sorted({name for found in votes for name in found})
    model = LabelModel(dict.fromkeys(names, RIGHT / (RIGHT + WRONG)))
    for _ in range(ROUNDS):
        better = _improved(model, patterns)
        if all(abs(better.accuracy[name] - model.accuracy[name]) < ENOUGH for name in names):
            return better
        model = better
    return model


def _improved(model: LabelModel, patterns: Mapping[Pattern, int]) -> LabelModel:
    """One round: labels as the model sees them, then accuracies as these labels do."""
    right: dict[str, float] = defaultdict(lambda: RIGHT)
    total: dict[str, float] = defaultdict(lambda: RIGHT + WRONG)
    for found, count in patterns.items():
        p = model.p_tp(dict(found))
        for name, vote in found:
            right[name] += count * (p if vote == "TP" else 1 - p)
            total[name] += count
    bounded = {
        name: min(MOST, max(LEAST, right[name] / total[name])) for name in sorted(model.accuracy)
    }
    return LabelModel(bounded)


def _report(
    function: LabellingFunction,
    samples: Sequence[Sample],
    votes: Sequence[Votes],
    model: LabelModel,
) -> FunctionReport:
    own = [
        (sample, found)
        for sample, found in zip(samples, votes, strict=True)
        if function.name in found
    ]
    labels = [sample.label for sample, _ in own if sample.label is not None]
    return FunctionReport(
        function=function,
        votes=len(own),
        conflicts=sum(len(set(found.values())) > 1 for _, found in own),
        right=labels.count(function.vote) / len(labels) if labels else None,
        estimated=model.accuracy.get(function.name),
    )


def _log_odds(p: float) -> float:
    return math.log(p / (1 - p))
