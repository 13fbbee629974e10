"""Breakdown: scores with intervals of all samples, and of those that share smell or technology."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from iacfilter_hpc.evaluation.intervals import FEW_GROUPS, Intervals, bootstrap_scores
from iacfilter_hpc.evaluation.metrics import Scores, score
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, slots=True)
class Cell:
    """Scores of some samples, with their intervals; a cell of few samples is never dropped."""

    name: str
    groups: int
    scores: Scores
    intervals: Intervals

    @property
    def few_groups(self) -> bool:
        """Whether there are too few groups for an interval to be wide enough."""
        return self.groups < FEW_GROUPS


@dataclass(frozen=True, slots=True)
class Cells:
    """All samples, and the same by smell and by technology, in the order of names."""

    overall: Cell
    by_smell: tuple[Cell, ...]
    by_technology: tuple[Cell, ...]

    @property
    def macro_f1(self) -> float | None:
        """The mean F1 over smells, each weighing the same; None where a smell has none."""
        values = [cell.scores.f1 for cell in self.by_smell]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class Clusters:
    """What the bootstrap keeps together: `groups` groups in all.

    The other counts say how many samples are grouped by which of their fields.
    """

    groups: int
    family: int
    repo: int
    file: int


def make_cells(predictions: Sequence[Prediction], draws: int, seed: int) -> Cells:
    """Score `predictions`; `draws` and `seed` are the bootstrap's."""

    def cell(name: str, chosen: Sequence[Prediction]) -> Cell:
        return _cell(name, chosen, draws, seed)

    def split(key: Callable[[Prediction], str]) -> tuple[Cell, ...]:
        names = sorted({key(each) for each in predictions})
        return tuple(cell(name, [p for p in predictions if key(p) == name]) for name in names)

    return Cells(
        overall=cell("all", predictions),
        by_smell=split(lambda prediction: prediction.smell),
        by_technology=split(lambda prediction: prediction.technology),
    )


def find_clusters(samples: Sequence[Sample]) -> Clusters:
    """How the samples are grouped."""
    units = Counter(
        "family" if sample.family else "repo" if sample.repo else "file" for sample in samples
    )
    return Clusters(
        groups=len({sample.group for sample in samples}),
        family=units["family"],
        repo=units["repo"],
        file=units["file"],
    )


def _cell(name: str, predictions: Sequence[Prediction], draws: int, seed: int) -> Cell:
    truth = [prediction.label == "TP" for prediction in predictions]
    decided = [prediction.decision == "TP" for prediction in predictions]
    known = [prediction.p_tp for prediction in predictions if prediction.p_tp is not None]
    p_tp = known if len(known) == len(predictions) else None
    groups = [prediction.group for prediction in predictions]
    return Cell(
        name=name,
        groups=len(set(groups)),
        scores=score(truth, decided, p_tp),
        intervals=bootstrap_scores(truth, decided, p_tp, groups, draws=draws, seed=seed),
    )
