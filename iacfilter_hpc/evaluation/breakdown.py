"""Breakdown: scores with intervals of all samples, and of those that share smell or technology."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from iacfilter_hpc.evaluation.bootstrap import FEW_GROUPS, Intervals, bootstrap_scores
from iacfilter_hpc.evaluation.metrics import Scores, score
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, slots=True)
class SubsetScores:
    """Scores of some of the samples, with intervals; even few samples are never left out."""

    name: str
    groups: int
    scores: Scores
    intervals: Intervals

    @property
    def few_groups(self) -> bool:
        """Whether there are too few groups for an interval to be wide enough."""
        return self.groups < FEW_GROUPS


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Breakdown of scores: of all samples, by smell and by technology, in the order of names."""

    overall: SubsetScores
    by_smell: tuple[SubsetScores, ...]
    by_technology: tuple[SubsetScores, ...]

    @property
    def macro_f1(self) -> float | None:
        """The mean F1 over smells, each weighing the same; None where a smell has none."""
        values = [subset.scores["f1"] for subset in self.by_smell]
        known = [value for value in values if value is not None]
        # leaving out smells that have none would average other smells for each model
        return sum(known) / len(known) if len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Counts of groups, which the bootstrap keeps whole.

    The other counts say how many samples are grouped by which of their fields.
    """

    groups: int
    family: int
    repo: int
    file: int

    @property
    def samples_by_unit(self) -> dict[str, int]:
        """Samples by what groups them, in words; what groups none is left out."""
        units = {"family": self.family, "repository": self.repo, "file": self.file}
        return {unit: count for unit, count in units.items() if count}


def break_down(predictions: Sequence[Prediction], draws: int, seed: int) -> Breakdown:
    """Score `predictions`; `draws` and `seed` are the bootstrap's."""

    def subset(name: str, chosen: Sequence[Prediction]) -> SubsetScores:
        return _score_subset(name, chosen, draws, seed)

    def split(key: Callable[[Prediction], str]) -> tuple[SubsetScores, ...]:
        names = sorted({key(each) for each in predictions})
        return tuple(subset(name, [p for p in predictions if key(p) == name]) for name in names)

    return Breakdown(
        overall=subset("all", predictions),
        by_smell=split(lambda prediction: prediction.smell),
        by_technology=split(lambda prediction: prediction.technology),
    )


def count_groups(samples: Sequence[Sample]) -> GroupCounts:
    """Count the groups of samples, and the samples by what groups them."""
    # the order of Sample.group, by which the bootstrap draws
    units = Counter(
        "family" if sample.family else "repo" if sample.repo else "file" for sample in samples
    )
    return GroupCounts(
        groups=len({sample.group for sample in samples}),
        family=units["family"],
        repo=units["repo"],
        file=units["file"],
    )


def _score_subset(
    name: str, predictions: Sequence[Prediction], draws: int, seed: int
) -> SubsetScores:
    truth = [prediction.label == "TP" for prediction in predictions]
    decided = [prediction.decision == "TP" for prediction in predictions]
    # metrics of a ranking need p(TP) of every sample: a part would be another test set
    known = [prediction.p_tp for prediction in predictions if prediction.p_tp is not None]
    p_tp = known if len(known) == len(predictions) else None
    groups = [prediction.group for prediction in predictions]
    return SubsetScores(
        name=name,
        groups=len(set(groups)),
        scores=score(truth, decided, p_tp),
        intervals=bootstrap_scores(truth, decided, p_tp, groups, draws=draws, seed=seed),
    )
