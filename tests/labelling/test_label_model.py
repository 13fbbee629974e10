"""Label model: accuracies are found without labels, and abstentions are no votes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from iacfilter_hpc.labelling.functions import LabellingFunction
from iacfilter_hpc.labelling.label_model import fit_label_model, weak_labels
from iacfilter_hpc.samples.sample import Label
from tests.samples.made import sample

TRUE = {"good": 0.9, "fair": 0.75, "poor": 0.6}


def made_votes(count: int, seed: int = 3) -> tuple[list[Label], list[dict[str, Label]]]:
    """Labels, and votes of functions that are right as often as TRUE says, on half of them."""
    random = Random(seed)
    other: dict[Label, Label] = {"TP": "FP", "FP": "TP"}
    labels: list[Label] = [random.choice(("TP", "FP")) for _ in range(count)]
    votes = [
        {
            name: label if random.random() < right else other[label]
            for name, right in TRUE.items()
            if random.random() < 0.5
        }
        for label in labels
    ]
    return labels, votes


def test_accuracies_are_found_without_a_label() -> None:
    labels, votes = made_votes(4000)
    model = fit_label_model(votes)
    assert model.accuracy == pytest.approx(TRUE, abs=0.06)
    voted = [(label, found) for label, found in zip(labels, votes, strict=True) if found]

    def right(p_of: object) -> int:
        return sum((p_of(found) > 0.5) == (label == "TP") for label, found in voted)  # type: ignore[operator]

    # a vote of a good one against a fair and a poor one: the majority errs
    majority = right(lambda f: 0.5 + sum((1 if v == "TP" else -1) for v in f.values()))
    assert right(model.p_tp) > majority
    assert model.p_tp({"good": "TP", "poor": "FP"}) > 0.5 > model.p_tp({"fair": "FP"})


def test_functions_that_never_meet_do_not_end_in_one_class() -> None:
    """As TODO and prose: each votes one way, and never on the same comment."""
    votes: list[dict[str, Label]] = [{"marker": "TP"}] * 300 + [{"prose": "FP"}] * 200
    model = fit_label_model(votes)
    assert model.p_tp({"marker": "TP"}) > 0.5 > model.p_tp({"prose": "FP"})
    assert model.p_tp({}) == 0.5


def test_samples_without_votes_have_no_label() -> None:
    samples = [replace(sample(i), content=f"word{'s' if i % 2 else ''} {i}") for i in range(8)]
    plural = LabellingFunction(name="plural", about="Words.", vote="FP", content="words")
    found = weak_labels([plural], samples)
    assert [each.label for each in found.labels] == [None, "FP"] * 4
    (report,) = found.reports
    assert (report.votes, report.conflicts) == (4, 0)
    known = [one for one in samples if "words" in one.content]
    assert report.right == sum(one.label == "FP" for one in known) / 4
