"""Split samples into folds that keep groups whole, and what is left of each fold once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.errors import UsageError

INNER_FOLDS = 4
"""As many, where groups and labels allow it."""


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
    groups = _groups(samples)
    if not 2 <= folds <= groups:
        raise UsageError(
            f"--cross-fit {folds}: folds keep groups whole, and the data has {groups} "
            "families, repositories or files",
            hint=f"a number from 2 to {groups}; --groups CSV names families",
        )
    splits = split_groups(samples, folds, seed)
    return [
        Fold(
            number,
            split.inside,
            split.outside,
            _inner([samples[i] for i in split.inside], number, seed),
        )
        for number, split in enumerate(splits, start=1)
    ]


def split_groups(samples: Sequence[Sample], folds: int, seed: int) -> tuple[Split, ...]:
    """Each fold: groups whole, labels as even as groups allow.

    Raises:
        UsageError: too few samples of a label, or a fold would train on one class only.
    """
    found = _split(samples, folds, seed)
    if isinstance(found, str):
        raise UsageError(
            f"--cross-fit {folds}: {found}", hint="fewer folds, finer groups, or more samples"
        )
    return found


def _inner(train: Sequence[Sample], number: int, seed: int) -> tuple[Split, ...]:
    """As many folds as groups and labels allow, but no more than are wanted."""
    labels = [sample.label == "TP" for sample in train]
    most = min(INNER_FOLDS, _groups(train), labels.count(True), labels.count(False))
    problem: str | tuple[Split, ...] = (
        "one group alone is left to train on, and they need two"
        if _groups(train) < 2
        else f"{labels.count(True)} TP and {labels.count(False)} FP are left to train on, and they "
        "need two of each"
    )
    for folds in range(most, 1, -1):
        problem = _split(train, folds, seed)
        if not isinstance(problem, str):
            return problem
    raise UsageError(
        f"inner folds of fold {number}: {problem}",
        hint="fewer or more folds, finer groups, or more samples",
    )


def _split(samples: Sequence[Sample], folds: int, seed: int) -> tuple[Split, ...] | str:
    """The folds, or why there are none."""
    labels = np.array([sample.label == "TP" for sample in samples])
    if min(labels.sum(), (~labels).sum()) < folds:
        return (
            f"{folds} folds need at least {folds} samples of each label; here are "
            f"{labels.sum()} TP and {(~labels).sum()} FP"
        )
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
