"""Cross-fitting: nothing reported of a sample rests on its own fold, and inner folds choose."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.evaluation.crossfit import (
    INNER_FOLDS,
    FoldScores,
    cross_fit,
    plan_folds,
    split_groups,
)
from iacfilter_hpc.samples.sample import Sample

pytestmark = pytest.mark.train


def made_sample(number: int, label: str, family: str) -> Sample:
    return Sample(
        smell="use_of_http",
        file=f"{family}/{number}.pp",
        content=f"url {number}",
        line=number + 1,
        detection_span=(1, number + 2),
        with_context="",
        with_prompt="p",
        label="TP" if label == "TP" else "FP",
        source="test",
        family=family,
    )


def data(groups: int = 12, each: int = 5, seed: int = 0) -> list[Sample]:
    shuffled = random.Random(seed)
    return [
        made_sample(g * each + i, shuffled.choice(["TP", "FP"]), f"family-{g}")
        for g in range(groups)
        for i in range(each)
    ]


class Recorder:
    """A fit that knows the labels it trains on, and notes who was trained on and who scored."""

    def __init__(self) -> None:
        self.calls: list[tuple[set[str], set[str], tuple[int, ...]]] = []

    def __call__(
        self, train: Sequence[Sample], held_out: Sequence[Sample], epochs: Sequence[int]
    ) -> list[list[float]]:
        known = {sample.key: sample.label for sample in train}
        groups = ({s.group for s in part} for part in (train, held_out))
        inside, outside = groups
        self.calls.append((inside, outside, tuple(epochs)))
        # what a leak would show: a sample that was trained on is scored without an error
        return [
            [{"TP": 9.0, "FP": -9.0, None: 0.0}[known.get(s.key)] for s in held_out] for _ in epochs
        ]


def test_no_group_is_ever_on_both_sides() -> None:
    fit = Recorder()
    samples = data()
    fitted = cross_fit(samples, fit, 4, seed=3, say=lambda _: None)
    assert len(fit.calls) == 4 * (4 + 1)
    for inside, outside, _ in fit.calls:
        assert inside and outside and not inside & outside
    # nothing was known of any sample when it was scored: all of a fold have the share of the others
    assert len(set(fitted.scores.p_tp)) <= 4
    assert all(0.2 < p < 0.8 for p in fitted.scores.p_tp)
    outer = [call for call in fit.calls if len(call[2]) == 1]
    assert [sorted(outside) for _, outside, _ in outer] != sorted([])
    seen = sorted(group for _, outside, _ in outer for group in outside)
    assert seen == sorted({s.group for s in samples}), "every group is reported on once"


def test_inner_folds_never_see_what_the_outer_fold_reports_on() -> None:
    fit = Recorder()
    cross_fit(data(), fit, 4, seed=1, say=lambda _: None)
    for number in range(4):
        *inner, (_, reported, _) = fit.calls[number * 5 : (number + 1) * 5]
        assert all(not (inside | outside) & reported for inside, outside, _ in inner)


def test_inner_folds_choose_epochs_scale_offset_and_threshold() -> None:
    """Scores that help only after 4 epochs, far too sure of themselves, and off by an offset."""

    def fit(
        train: Sequence[Sample], held_out: Sequence[Sample], epochs: Sequence[int]
    ) -> list[list[float]]:
        noise = random.Random(held_out[0].key)
        rows = []
        for epoch in epochs:
            strength = 40.0 if epoch == 4 else 0.5
            rows.append(
                [
                    (strength if s.label == "TP" else -strength) + noise.gauss(0, 20) + 30
                    for s in held_out
                ]
            )
        return rows

    lines: list[str] = []
    samples = data(groups=20)
    fitted = cross_fit(samples, fit, 5, seed=0, say=lines.append)
    assert [choice.epochs for choice in fitted.record.choices] == [4] * 5
    assert all(choice.offset < -1 for choice in fitted.record.choices)
    assert all(choice.temperature > 5 for choice in fitted.record.choices)
    right = [
        (p >= t) == (s.label == "TP")
        for p, t, s in zip(fitted.scores.p_tp, fitted.scores.thresholds, samples, strict=True)
    ]
    assert sum(right) > 0.85 * len(right)
    assert len(lines) == 5 and "4 inner folds chose 4 epochs" in lines[0]
    assert sum(choice.samples for choice in fitted.record.choices) == len(samples)
    assert sum(choice.tp for choice in fitted.record.choices) == sum(
        s.label == "TP" for s in samples
    )


def off_by_an_offset(
    train: Sequence[Sample], held_out: Sequence[Sample], epochs: Sequence[int]
) -> list[list[float]]:
    """An untouched model that ranks well, 6 too low; an epoch mends that, and each ranks worse."""
    noise = random.Random(held_out[0].key)
    return [
        [
            (2.0 if s.label == "TP" else -2.0) * 0.9**epoch
            - (6.0 if epoch == 0 else 0.0)
            + noise.gauss(0, 1)
            for s in held_out
        ]
        for epoch in epochs
    ]


def test_an_offset_is_no_reason_to_train() -> None:
    """A temperature alone chose epochs here, since no scale mends log-odds that are all too low."""
    samples = data(groups=20)
    fitted = cross_fit(samples, off_by_an_offset, 5, seed=0, say=lambda _: None)
    assert [choice.epochs for choice in fitted.record.choices] == [0] * 5
    assert all(choice.offset > 2 for choice in fitted.record.choices)
    right = [
        (p >= t) == (s.label == "TP")
        for p, t, s in zip(fitted.scores.p_tp, fitted.scores.thresholds, samples, strict=True)
    ]
    assert sum(right) > 0.9 * len(right)
    assert fitted.untouched == fitted.scores


def test_the_untouched_model_is_scored_in_the_same_folds() -> None:
    """Labels that only training tells: the untouched scores are of the same folds, and worse."""

    def fit(
        train: Sequence[Sample], held_out: Sequence[Sample], epochs: Sequence[int]
    ) -> list[list[float]]:
        return [
            [epoch * (1.0 if s.label == "TP" else -1.0) + s.line / 1000 for s in held_out]
            for epoch in epochs
        ]

    samples = data(groups=20)
    fitted = cross_fit(samples, fit, 5, seed=0, say=lambda _: None)
    assert {choice.epochs for choice in fitted.record.choices} != {0}
    truth = [sample.label == "TP" for sample in samples]
    assert fitted.untouched is not None

    def right(scores: FoldScores) -> int:
        return sum(
            (p >= t) == y for p, t, y in zip(scores.p_tp, scores.thresholds, truth, strict=True)
        )

    assert right(fitted.scores) == len(samples) > right(fitted.untouched)
    alone = cross_fit(samples, fit, 5, seed=0, say=lambda _: None, candidates=(0,))
    assert alone.untouched is None, "there was nothing to choose"
    assert alone.scores == fitted.untouched


def test_the_same_seed_gives_the_same_folds() -> None:
    samples = data()
    assert split_groups(samples, 4, 7) == split_groups(samples, 4, 7)
    assert split_groups(samples, 4, 7) != split_groups(samples, 4, 8)


@pytest.mark.parametrize("folds", [0, 1, 13, -2])
def test_folds_keep_groups_whole(folds: int) -> None:
    with pytest.raises(UsageError, match=r"--cross-fit -?\d+: folds keep groups whole.* 12 fam"):
        cross_fit(data(), Recorder(), folds, seed=0, say=lambda _: None)


def test_inner_folds_need_two_groups() -> None:
    fit = Recorder()
    with pytest.raises(UsageError, match=r"^inner folds of fold 1: one group alone is left to tr"):
        cross_fit(data(groups=2), fit, 2, seed=0, say=lambda _: None)
    assert not fit.calls, "nothing is trained first"


def test_inner_folds_are_as_many_as_the_labels_allow() -> None:
    """Three real ones in three families: two are left to train on, and make two inner folds."""
    samples = [made_sample(i, "TP" if i in (0, 10, 20) else "FP", f"f{i // 5}") for i in range(60)]
    plan = plan_folds(samples, 3, seed=0)
    assert [len(fold.inner) for fold in plan] == [2, 2, 2]
    for fold in plan:
        for split in fold.inner:
            assert {samples[fold.inside[i]].label for i in split.inside} == {"TP", "FP"}
    assert {len(fold.inner) for fold in plan_folds(data(), 3, seed=0)} == {INNER_FOLDS}
    fitted = cross_fit(samples, Recorder(), 3, seed=0, say=lambda _: None)
    assert [choice.inner_folds for choice in fitted.record.choices] == [2, 2, 2]


def test_the_fold_that_cannot_be_split_again_is_named() -> None:
    fit = Recorder()
    two = [made_sample(i, "TP" if i in (0, 10) else "FP", f"f{i // 5}") for i in range(40)]
    with pytest.raises(UsageError, match=r"^inner folds of fold 1: 1 TP and \d+ FP are left to"):
        cross_fit(two, fit, 2, seed=0, say=lambda _: None)
    assert not fit.calls


@pytest.mark.parametrize(
    ("groups", "what", "hint"),
    [
        (3, "3 families, repositories or files", "it takes 2 to 3 here; "),
        (1, "1 family, repository or file", "it needs two groups; "),
    ],
)
def test_more_folds_than_groups_are_refused(groups: int, what: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"--cross-fit 4: .* has {what}$") as caught:
        cross_fit(data(groups), Recorder(), 4, seed=0, say=lambda _: None)
    assert caught.value.hint == f"{hint}--groups CSV names families"


def test_both_labels_are_needed_on_each_side() -> None:
    one_sided = [made_sample(i, "TP" if i == 0 else "FP", f"f{i}") for i in range(8)]
    with pytest.raises(UsageError, match="here are 1 TP and 7 FP"):
        cross_fit(one_sided, Recorder(), 4, seed=0, say=lambda _: None)
    in_one_group = [made_sample(i, "TP" if i < 4 else "FP", f"f{i // 4}") for i in range(20)]
    with pytest.raises(UsageError, match="one group holds all samples of a label"):
        cross_fit(in_one_group, Recorder(), 4, seed=0, say=lambda _: None)
