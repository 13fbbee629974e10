"""Scores over seeds, and differences between systems, against slow references."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from sklearn.metrics import f1_score

from iacfilter_hpc.comparison.statistics import (
    McNemar,
    Pair,
    SystemScores,
    compare_pairs,
    drawn_scores,
    mcnemar,
    measure,
)
from iacfilter_hpc.comparison.systems import Protocol, System, SystemKind
from iacfilter_hpc.evaluation.bootstrap import Interval, draw_weights
from iacfilter_hpc.evaluation.breakdown import break_down
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.evaluation.metrics import METRICS, score
from iacfilter_hpc.evaluation.predictions import Prediction
from tests.comparison.made_data import made_member, made_system, truth_of, write_samples

DRAWS = 300


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return write_samples(tmp_path_factory.mktemp("data") / "labelled.jsonl")


def as_predictions(data: Labelled, system: System) -> list[Prediction]:
    """The rows that an evaluation of the first member would write."""
    member = system.first
    assert member.p_tp is not None
    rows = []
    for index, sample in enumerate(data.samples):
        assert sample.label is not None
        rows.append(
            Prediction(
                index=index,
                key=sample.key,
                file=sample.file,
                line=sample.line,
                smell=sample.smell,
                technology=sample.technology,
                group=sample.group,
                label=sample.label,
                p_tp=member.p_tp[index],
                decision="TP" if member.decided[index] else "FP",
                threshold=0.5,
            )
        )
    return rows


def test_one_seed_is_scored_as_its_evaluation_is(data: Labelled) -> None:
    system = made_system("one", data.samples, 1)
    found = measure(system, data.samples, DRAWS, 5)
    wanted = break_down(as_predictions(data, system), DRAWS, 5)
    pairs = [(found.overall, wanted.overall)]
    pairs += zip(found.by_smell, wanted.by_smell, strict=True)
    pairs += zip(found.by_technology, wanted.by_technology, strict=True)
    for mine, its in pairs:
        assert (mine.name, mine.first) == (its.name, its.scores)
        for name in (metric.key for metric in METRICS):
            assert mine.measured[name].mean == its.scores[name]
            assert mine.measured[name].sd is None
            assert mine.measured[name].interval == its.intervals[name]


def test_seeds_are_averaged_and_their_scatter_is_that_of_a_sample(data: Labelled) -> None:
    system = made_system("three", data.samples, 1, 2, 3)
    cell = measure(system, data.samples, DRAWS, 0).overall
    truth = truth_of(data.samples)
    f1 = [float(f1_score(truth, member.decided)) for member in system.members]
    assert len(set(f1)) == 3
    assert cell.measured["f1"].mean == pytest.approx(mean(f1))
    assert cell.measured["f1"].sd == pytest.approx(stdev(f1))
    assert [scores["f1"] for scores in cell.members] == pytest.approx(f1)


def test_the_interval_is_that_of_the_mean_over_seeds(data: Labelled) -> None:
    system = made_system("three", data.samples, 1, 2, 3)
    cell = measure(system, data.samples, DRAWS, 7).overall
    slow = slow_mean_f1(data, system, DRAWS, 7)
    low, high = np.quantile(slow, [0.025, 0.975])
    assert cell.measured["f1"].interval == Interval(pytest.approx(low), pytest.approx(high))


def slow_mean_f1(data: Labelled, system: System, draws: int, seed: int) -> list[float]:
    """F1 in each draw: repeat the samples as the weights say, score each seed, take the mean."""
    truth = truth_of(data.samples)
    found = []
    for weights in draw_weights([sample.group for sample in data.samples], draws, seed):
        drawn = [i for i, times in enumerate(weights) for _ in range(times)]
        values = [
            f1_score([truth[i] for i in drawn], [member.decided[i] for i in drawn])
            for member in system.members
        ]
        found.append(float(mean(values)))
    return found


def test_a_score_that_a_seed_lacks_has_no_mean(data: Labelled) -> None:
    none = replace(made_member(data.samples, 1), decided=(False,) * len(data.samples))
    system = System("two", SystemKind.RUN, Protocol.HELD_OUT, (none, made_member(data.samples, 2)))
    cell = measure(system, data.samples, DRAWS, 0).overall
    assert cell.measured["precision"].mean is None and cell.measured["precision"].sd is None
    assert cell.measured["recall"].mean is not None


def test_few_real_smells_are_marked(data: Labelled) -> None:
    cells = measure(made_system("one", data.samples, 1), data.samples, DRAWS, 0)
    few = {cell.name: cell.first.few_positives for cell in cells.by_smell}
    assert few == {"hard_coded_secret": False, "suspicious_comment": True, "use_of_http": False}


def test_draws_in_parts_are_the_same(data: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    member = made_member(data.samples, 1)
    weights = draw_weights([sample.group for sample in data.samples], DRAWS, 0)
    truth = truth_of(data.samples)
    whole = drawn_scores([member], truth, weights)
    monkeypatch.setattr("iacfilter_hpc.comparison.statistics.CELLS_AT_ONCE", 700)
    for name, values in drawn_scores([member], truth, weights).items():
        np.testing.assert_allclose(values, whole[name])


def test_pairs_against_a_slow_reference(data: Labelled) -> None:
    systems = [
        made_system("a", data.samples, 1, 2, skill=0.95),
        made_system("b", data.samples, 3, skill=0.6),
        made_system("c", data.samples, 4, skill=0.9),
    ]
    pairs = compare_pairs(systems, data.samples, DRAWS, 3)
    assert [(pair.first, pair.second) for pair in pairs] == [
        ("a (2 seeds)", "b"),
        ("a (2 seeds)", "c"),
        ("b", "c"),
    ]
    truth = truth_of(data.samples)
    by_title = {system.title: system for system in systems}
    for pair in pairs:
        one, two = by_title[pair.first], by_title[pair.second]
        assert pair.mcnemar == mcnemar(truth, one.first.decided, two.first.decided)
        drawn = np.subtract(slow_mean_f1(data, one, DRAWS, 3), slow_mean_f1(data, two, DRAWS, 3))
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert pair.interval == Interval(pytest.approx(low), pytest.approx(high))
        difference = slow_f1(truth, one) - slow_f1(truth, two)
        assert pair.difference == pytest.approx(difference)
    smallest = min(pairs, key=lambda pair: pair.mcnemar.p)
    assert smallest.p_adjusted == pytest.approx(min(1, 3 * smallest.mcnemar.p))


def slow_f1(truth: list[bool], system: System) -> float:
    return mean(float(f1_score(truth, member.decided)) for member in system.members)


def test_the_lowest_seed_stands_for_the_others(data: Labelled) -> None:
    truth = truth_of(data.samples)
    best, worst = made_member(data.samples, 9, skill=1.0), made_member(data.samples, 1, skill=0.1)
    system = System("s", SystemKind.RUN, Protocol.HELD_OUT, (worst, best))
    other = made_system("o", data.samples, 5)
    (pair,) = compare_pairs([system, other], data.samples, DRAWS, 0)
    assert pair.mcnemar == mcnemar(truth, worst.decided, other.first.decided)


@pytest.mark.parametrize(
    ("counts", "p", "difference", "ends", "verdict"),
    [
        ((9, 1), 0.01, 0.2, (0.1, 0.3), "different"),
        ((1, 9), 0.01, -0.2, (-0.3, -0.1), "different"),
        ((9, 1), 0.01, 0.2, (-0.1, 0.3), "unclear"),
        ((9, 1), 0.06, 0.2, (0.1, 0.3), "unclear"),
        ((9, 1), 0.01, -0.2, (-0.3, -0.1), "unclear"),
        ((9, 1), 0.01, None, None, "unclear"),
        ((5, 4), 0.9, 0.0, (0.0, 0.0), "not separated"),
        ((5, 4), 0.9, 0.01, (-0.1, 0.1), "not separated"),
    ],
)
def test_both_tests_must_agree(
    counts: tuple[int, int],
    p: float,
    difference: float | None,
    ends: tuple[float, float] | None,
    verdict: str,
) -> None:
    interval = Interval(*ends) if ends else None
    assert Pair("a", "b", McNemar(*counts, p), p, difference, interval).separation == verdict


def test_one_group_has_no_interval(tmp_path: Path) -> None:
    data = write_samples(tmp_path / "one.jsonl", count=20, files=1)
    systems = [made_system("a", data.samples, 1), made_system("b", data.samples, 2)]
    (pair,) = compare_pairs(systems, data.samples, DRAWS, 0)
    assert pair.interval is None and pair.separation in ("unclear", "not separated")
    cell: SystemScores = measure(systems[0], data.samples, DRAWS, 0).overall
    assert cell.measured["f1"].interval is None and cell.measured["f1"].mean is not None


def test_decisions_without_p_tp_have_no_curves(data: Labelled) -> None:
    noise = random.Random(0)
    decided = tuple(noise.random() < 0.5 for _ in data.samples)
    member = replace(made_member(data.samples, 1), decided=decided, p_tp=None, threshold=None)
    cell = measure(
        System("d", SystemKind.PREDICTIONS, Protocol.EXTERNAL, (member,)), data.samples, DRAWS, 0
    ).overall
    assert cell.measured["average_precision"].mean is None
    assert cell.first == score(truth_of(data.samples), decided, None)
