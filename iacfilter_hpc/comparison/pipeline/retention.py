"""Retention: how much of a teacher's F1 its students keep on the same samples, how they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean

import numpy as np

from iacfilter_hpc.comparison.statistics import drawn_scores
from iacfilter_hpc.comparison.systems import System
from iacfilter_hpc.evaluation.bootstrap import (
    FEWEST_GROUPS,
    Interval,
    draw_weights,
    percentile_interval,
    wilson_where_flat,
)
from iacfilter_hpc.evaluation.metrics import score
from iacfilter_hpc.evaluation.weighted_decisions import Counts, Floats, ratios
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, slots=True)
class Retention:
    """Retention of one student, by title: its F1 over the teacher's, and the share decided alike.

    Of several seeds both are means; `share` is None where either has no F1, or the teacher's is 0.
    """

    student: str
    share: float | None
    share_interval: Interval | None
    agreement: float
    agreement_interval: Interval | None


def retained(
    teacher: System, students: Sequence[System], samples: Sequence[Sample], draws: int, seed: int
) -> tuple[Retention, ...]:
    """Retention of each student; `draws` and `seed` are the bootstrap's."""
    truth = [sample.label == "TP" for sample in samples]
    groups = [sample.group for sample in samples]
    # one set of draws for teacher and students: what is hard for both is no loss between them
    weights = draw_weights(groups, draws, seed) if len(set(groups)) >= FEWEST_GROUPS else None
    return tuple(_of_one(teacher, student, truth, weights) for student in students)


def _of_one(
    teacher: System, student: System, truth: Sequence[bool], weights: Counts | None
) -> Retention:
    kept, whole = _mean_f1(student, truth), _mean_f1(teacher, truth)
    alike = [
        np.asarray(one.decided) == np.asarray(other.decided)
        for one, other in product(student.members, teacher.members)
    ]
    hits = [(int(each.sum()), len(each)) for each in alike]
    return Retention(
        student=student.title,
        share=None if kept is None or not whole else kept / whole,
        share_interval=None
        if weights is None
        else percentile_interval(
            ratios(_drawn_f1(student, truth, weights), _drawn_f1(teacher, truth, weights))
        ),
        agreement=mean(part / count for part, count in hits),
        agreement_interval=None
        if weights is None
        else wilson_where_flat(
            percentile_interval(
                np.mean([weights @ each / weights.sum(axis=1) for each in alike], axis=0)
            ),
            hits,
        ),
    )


def _drawn_f1(system: System, truth: Sequence[bool], weights: Counts) -> Floats:
    # without p(TP) nothing has to be sorted
    decided_only = [replace(member, p_tp=None) for member in system.members]
    return drawn_scores(decided_only, truth, weights)["f1"]


def _mean_f1(system: System, truth: Sequence[bool]) -> float | None:
    values = [score(truth, member.decided, None)["f1"] for member in system.members]
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None
