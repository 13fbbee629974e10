"""Fit of a calibration: folds choose, families stay apart, thresholds follow from p(TP)."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from scipy.special import expit

from iacfilter_hpc.calibration.fit import fit, judge, table_of, vote_shares
from iacfilter_hpc.calibration.forms import FORMS
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.evaluation.crossfit import split_groups
from iacfilter_hpc.evaluation.metrics import score
from iacfilter_hpc.labelling.functions import FUNCTIONS
from iacfilter_hpc.samples.sample import Label, Sample
from iacfilter_hpc.trained_model.calibration import TermKind
from tests.samples.made import sample

pytestmark = pytest.mark.train


def labelled(families: int = 15, each: int = 10, seed: int = 1) -> list[Sample]:
    random = Random(seed)
    labels: list[Label] = [random.choice(("TP", "FP")) for _ in range(families * each)]
    return [
        replace(sample(number, label=label, smell="use_of_http"), family=f"f{number // each}")
        for number, label in enumerate(labels)
    ]


def odds_of(samples: list[Sample], strength: float, offset: float, seed: int = 2) -> list[float]:
    random = Random(seed)
    return [
        strength * (1 if one.label == "TP" else -1) + offset + random.gauss(0, 1) for one in samples
    ]


def test_an_offset_is_mended_by_two_numbers() -> None:
    samples = labelled()
    table = table_of(samples, odds_of(samples, 1.5, -6), FUNCTIONS)
    found = fit(table, seed=0, forms=FORMS[:1])
    assert found.choice.form.name == "offset and scale"
    (term,) = found.terms(table)
    assert term.kind is TermKind.LOG_ODDS and term.weight > 1 and found.intercept > 4
    judged = judge(table, 5, seed=0)
    f1 = score([s.label == "TP" for s in samples], judged.decided, judged.p_tp)["f1"]
    assert f1 is not None and f1 > 0.85


def test_votes_are_weighed_where_they_tell_more_than_the_model() -> None:
    lines = {"TP": "baseurl=http://yum.acme.com/el7", "FP": "url: http://localhost:8080/"}
    samples = [replace(one, content=lines[str(one.label)]) for one in labelled()]
    table = table_of(samples, odds_of(samples, 0.0, 0), FUNCTIONS)
    found = fit(table, seed=0)
    weights = {term.name: term.weight for term in found.terms(table)}
    assert TermKind.VOTE in found.choice.form.kinds
    # a vote counts -1 for FP: agreeing functions have positive weights, whatever their vote
    assert weights["package_source"] > 0 and weights["local_url"] > 0
    # and share one weight as the label model has it, which asks for no labels
    shares = vote_shares(table)
    assert weights["package_source"] / weights["local_url"] == pytest.approx(
        shares["package_source"] / shares["local_url"]
    )
    other = replace(table, samples=tuple(replace(one, label="TP") for one in samples))
    assert vote_shares(other) == shares


def test_what_is_true_of_one_family_alone_is_no_help_elsewhere() -> None:
    """Each family has a smell of its own and one label: seen from inside, smells tell it all."""
    samples = [
        replace(
            one, smell=f"smell_{one.family}", label="TP" if int(str(one.family)[1:]) % 2 else "FP"
        )
        for one in labelled(families=20)
    ]
    table = table_of(samples, odds_of(samples, 0.0, 0), [])
    judged = judge(table, 5, seed=0, forms=FORMS[1:2])
    truth = [one.label == "TP" for one in samples]
    assert abs(score(truth, judged.decided, judged.p_tp)["roc_auc"] or 0.5 - 0.5) < 0.65
    inside = fit(table, seed=0, forms=FORMS[1:2])
    assert (
        score(truth, [True] * 200, expit(inside.log_odds(table)).tolist())["roc_auc"] or 0
    ) > 0.95


def test_each_outer_fold_is_judged_by_a_fit_without_it() -> None:
    samples = labelled(families=6)
    table = table_of(samples, odds_of(samples, 1, 0), FUNCTIONS)
    judged = judge(table, 3, seed=4, forms=FORMS[:1])
    splits = split_groups(samples, 3, seed=4)
    for own, split in zip(judged.fits, splits, strict=True):
        places = split.outside
        # the one fit that gave these scores knows none of their labels: turn them round
        turned = [
            replace(one, label="FP" if one.label == "TP" else "TP") if i in places else one
            for i, one in enumerate(samples)
        ]
        again = fit(replace(table, samples=tuple(turned)).rows(split.inside), 4, FORMS[:1])
        assert again.threshold == own.threshold
        expected = expit(again.log_odds(table.rows(places)))
        assert [judged.p_tp[i] for i in places] == pytest.approx(expected.tolist(), abs=1e-12)
        assert {judged.thresholds[i] for i in places} == {own.threshold}


def test_the_order_of_samples_does_not_matter_to_a_form() -> None:
    samples = labelled()
    odds = odds_of(samples, 1, 1)
    one = table_of(samples, odds, FUNCTIONS)
    other = table_of(samples[::-1], odds[::-1], FUNCTIONS)
    assert one.columns == other.columns
    assert (one.facts == other.facts[::-1]).all()


def test_too_few_families_are_told_by_their_flag() -> None:
    samples = [replace(one, family="one") for one in labelled(2)]
    with pytest.raises(UsageError, match="one group alone"):
        fit(table_of(samples, [0.0] * 20, []), seed=0)
    with pytest.raises(UsageError, match=r"--folds 3: "):
        judge(table_of(samples, [0.0] * 20, []), 3, seed=0)
