"""Cross-fitting: fine-tune on some folds of a labelled set, report on the others, each in turn.

What is reported of a sample never rests on its own fold: inner folds of the remaining ones choose
how long to train, scale, offset and threshold. Folds keep groups (families) whole.
Source: Chernozhukov et al., Double/debiased machine learning, 2018; Varma and Simon, Bias in error
estimation when using cross-validation for model selection, 2006 (nested folds).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from iacfilter_hpc.errors import UsageError, counted
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.training.calibrate import Scale, choose_threshold, fit_scale, scaled

FLAG = "--cross-fit"
INNER_FOLDS = 4
"""Inner folds, where groups and labels allow as many."""


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the samples to train on, and of those held out."""

    inside: tuple[int, ...]
    outside: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """One outer fold; `inner` splits its `inside`, counted from 0 there."""

    number: int
    inside: tuple[int, ...]
    outside: tuple[int, ...]
    inner: tuple[Split, ...]


def plan_folds(samples: Sequence[Sample], folds: int, seed: int) -> list[Fold]:
    """Every outer fold with its inner ones; there are at least two of each.

    Raises:
        UsageError: too few groups for so many folds, or folds without both classes.
    """
    # inner folds too are planned before anything trains: what cannot be split is told at once
    groups = _groups(samples)
    if not 2 <= folds <= groups:
        possible = f"it takes 2 to {groups} here" if groups > 1 else "it needs two groups"
        raise UsageError(
            f"--cross-fit {folds}: folds keep groups whole, and the data has "
            f"{counted(groups, 'family, repository or file', 'families, repositories or files')}",
            hint=f"{possible}; --groups CSV names families",
        )
    splits = split_groups(samples, folds, seed)
    return [
        Fold(
            number,
            split.inside,
            split.outside,
            inner_folds([samples[i] for i in split.inside], seed, f" of fold {number}"),
        )
        for number, split in enumerate(splits, start=1)
    ]


def split_groups(
    samples: Sequence[Sample], folds: int, seed: int, flag: str = FLAG
) -> tuple[Split, ...]:
    """Each fold: groups whole, labels as even as groups allow.

    Raises:
        UsageError: too few samples of a label, or a fold would train on one class only; the message
            names the flag that asked for so many.
    """
    found = _split(samples, folds, seed)
    if isinstance(found, str):
        raise UsageError(
            f"{flag} {folds}: {found}", hint="try fewer folds, finer groups, or more samples"
        )
    return found


def inner_folds(train: Sequence[Sample], seed: int, of: str = "") -> tuple[Split, ...]:
    """As many folds as groups and labels allow, but no more than are wanted; `of` names them.

    Raises:
        UsageError: there are not even two.
    """
    labels = [sample.label == "TP" for sample in train]
    most = min(INNER_FOLDS, _groups(train), labels.count(True), labels.count(False))
    problem: str | tuple[Split, ...] = (
        "one group alone is left to train on, and they need two"
        if _groups(train) < 2
        else f"{labels.count(True)} TP and {labels.count(False)} FP are left to train on, and they "
        "need two of each"
    )
    # what the counts allow may still fail: whole groups can put all samples of a label in one fold
    for folds in range(most, 1, -1):
        problem = _split(train, folds, seed)
        if not isinstance(problem, str):
            return problem
    raise UsageError(
        f"inner folds{of}: {problem}",
        hint="try fewer or more folds, finer groups, or more samples",
    )


def _split(samples: Sequence[Sample], folds: int, seed: int) -> tuple[Split, ...] | str:
    """The folds, or why there are none: as text, since inner folds try again with fewer."""
    labels = np.array([sample.label == "TP" for sample in samples])
    if _groups(samples) < folds:
        return f"folds keep groups whole, and the data has {_groups(samples)}"
    # scikit-learn only warns of it, and leaves folds without that label
    if min(labels.sum(), (~labels).sum()) < folds:
        return (
            f"{folds} folds need at least {folds} samples of each label; here are "
            f"{labels.sum()} TP and {(~labels).sum()} FP"
        )
    # without shuffling, seeds would all give the same folds
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = splitter.split(np.zeros(len(samples)), labels, [sample.group for sample in samples])
    made = tuple(Split(tuple(i.tolist()), tuple(o.tolist())) for i, o in parts)
    if any(len(set(labels[list(split.inside)])) < 2 for split in made):
        return "one group holds all samples of a label, so a fold would train without that label"
    if not all(split.outside for split in made):
        return "a fold would hold no sample"
    return made


def _groups(samples: Sequence[Sample]) -> int:
    return len({sample.group for sample in samples})


EPOCHS = (0, 2, 4, 8)
"""What the inner folds choose from; 0 keeps the run's weights and only chooses a threshold."""
UNTOUCHED = 0

Fit = Callable[[Sequence[Sample], Sequence[Sample], Sequence[int]], Sequence[Sequence[float]]]
"""(train, held out, epochs) -> log-odds of the held-out samples after each number of epochs."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FoldChoice:
    """Choice of the inner folds of one outer fold, and what it was chosen from.

    `inner_loss` is the cross entropy of the inner held-out samples, one number an entry of
    `candidates`. The counts are of the samples that are reported on.
    """

    fold: int
    samples: int
    groups: int
    tp: int
    inner_folds: int
    candidates: tuple[int, ...]
    inner_loss: tuple[float, ...]
    epochs: int
    temperature: float
    threshold: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Record of a cross-fit: its folds, and what was chosen in each."""

    folds: int
    seed: int
    choices: tuple[FoldChoice, ...]


@dataclass(frozen=True, slots=True)
class FoldScores:
    """p(TP) and threshold of each sample, in order, both from models that did not see its fold."""

    p_tp: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Scores of a cross-fit; `untouched` are those of the weights that it began with.

    They have a scale and a threshold from the same folds. None where there was no choice.
    """

    scores: FoldScores
    untouched: FoldScores | None
    record: CrossFit


def cross_fit(
    samples: Sequence[Sample],
    fit: Fit,
    folds: int,
    seed: int,
    say: Say,
    candidates: tuple[int, ...] = EPOCHS,
) -> CrossFitted:
    """Score every sample by a model that `fit` made without its fold.

    Raises:
        UsageError: too few groups for so many folds, or folds without both classes.
    """
    plan = plan_folds(samples, folds, seed)
    tuned, untouched = _Scores.of(samples), _Scores.of(samples)
    is_choice = UNTOUCHED in candidates and len(candidates) > 1
    choices = []
    for fold in plan:
        train = [samples[i] for i in fold.inside]
        held_out = [samples[i] for i in fold.outside]
        is_tp = [sample.label == "TP" for sample in train]
        # log-odds of held-out samples: on what it was trained on, a model is too sure of itself to
        # fit a scale or a threshold
        losses, log_odds = _inner_scores(train, fold.inner, fit, candidates)
        # of equals the fewest epochs
        best = int(np.argmin(losses))
        wanted = [best, candidates.index(UNTOUCHED)] if is_choice else [best]
        # once more on all of `train`, of which each inner model has left out a part
        epochs = sorted({candidates[index] for index in wanted})
        found = dict(zip(epochs, fit(train, held_out, epochs), strict=True))
        for scores, index in zip((tuned, untouched), wanted, strict=False):
            rule = _rule(log_odds[index], is_tp)
            scores.add(fold.outside, found[candidates[index]], rule)
        rule = _rule(log_odds[best], is_tp)
        choice = FoldChoice(
            fold=fold.number,
            samples=len(held_out),
            groups=len({sample.group for sample in held_out}),
            tp=sum(sample.label == "TP" for sample in held_out),
            inner_folds=len(fold.inner),
            candidates=candidates,
            inner_loss=tuple(losses),
            epochs=candidates[best],
            temperature=rule.scale.temperature,
            threshold=rule.threshold,
            offset=rule.scale.offset,
        )
        say(
            f"fold {fold.number} of {folds}: {counted(choice.samples, 'sample')} of "
            f"{counted(choice.groups, 'group')}; "
            f"{choice.inner_folds} inner folds chose {counted(choice.epochs, 'epoch')}, "
            f"threshold {rule.threshold:.4f}"
        )
        choices.append(choice)
    record = CrossFit(folds, seed, tuple(choices))
    return CrossFitted(tuned.whole(), untouched.whole() if is_choice else None, record)


@dataclass(frozen=True, slots=True)
class _Rule:
    scale: Scale
    threshold: float


def _rule(log_odds: Sequence[float], is_tp: Sequence[bool]) -> _Rule:
    """Scale of these log-odds, and the threshold of the best F1 on that scale."""
    scale = fit_scale(log_odds, is_tp)
    p_tp = scaled(log_odds, scale.temperature, scale.offset)
    return _Rule(scale, choose_threshold(p_tp, is_tp).value)


@dataclass(frozen=True, slots=True)
class _Scores:
    """p(TP) and thresholds of samples, filled fold by fold."""

    p_tp: list[float]
    thresholds: list[float]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> _Scores:
        return cls([0.0] * len(samples), [0.0] * len(samples))

    def add(self, places: Sequence[int], log_odds: Sequence[float], rule: _Rule) -> None:
        p_tp = scaled(log_odds, rule.scale.temperature, rule.scale.offset)
        for place, p in zip(places, p_tp, strict=True):
            self.p_tp[place], self.thresholds[place] = p, rule.threshold

    def whole(self) -> FoldScores:
        return FoldScores(tuple(self.p_tp), tuple(self.thresholds))


def _inner_scores(
    train: Sequence[Sample], splits: Sequence[Split], fit: Fit, candidates: tuple[int, ...]
) -> tuple[list[float], list[list[float]]]:
    """Cross entropy and held-out log-odds of `train`, each an entry a candidate."""
    log_odds = [[0.0] * len(train) for _ in candidates]
    for split in splits:
        inside, held_out = ([train[i] for i in part] for part in (split.inside, split.outside))
        # one training serves all candidates: at a constant learning rate, which `fine_tune` sets,
        # fewer epochs are the beginning of more
        for row, found in zip(log_odds, fit(inside, held_out, candidates), strict=True):
            for i, value in zip(split.outside, found, strict=True):
                row[i] = value
    return [_cross_entropy(row, train) for row in log_odds], log_odds


def _cross_entropy(log_odds: Sequence[float], samples: Sequence[Sample]) -> float:
    """Mean cross entropy after the scale and offset that fit these samples best.

    Two numbers are fitted to all of them, for every candidate alike.
    """
    is_tp = np.array([sample.label == "TP" for sample in samples])
    # What is reported has them as well, so what they mend must not decide. A temperature alone
    # spoke for more epochs wherever the labels were of another kind than those of training: an
    # untouched model is then wrong by an offset, which a few epochs mend and a number does too.
    scale = fit_scale(log_odds, is_tp)
    odds = np.asarray(log_odds) / scale.temperature + scale.offset
    return float(np.logaddexp(0, np.where(is_tp, -odds, odds)).mean())
