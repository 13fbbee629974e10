"""What is said of pairs of systems: who is ahead, by how much, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iacfilter_hpc.comparison.compare import Comparison
from iacfilter_hpc.comparison.sentences import conclusions, method, p_value, subject, varied
from iacfilter_hpc.comparison.statistics import McNemar, Pair
from iacfilter_hpc.comparison.systems import Protocol
from iacfilter_hpc.evaluation.bootstrap import Interval
from tests.comparison.made_data import made_comparison, made_system

AHEAD = Pair("a", "b", McNemar(9, 1, 0.02), 0.03, 0.2, Interval(0.1, 0.3))
BEHIND = Pair("a", "b", McNemar(1, 9, 0.02), 0.03, -0.2, Interval(-0.3, -0.1))
SAME = Pair("c", "d", McNemar(5, 4, 1.0), 1.0, 0.01, Interval(-0.1, 0.1))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return made_comparison(tmp_path_factory.mktemp("data"), draws=100)


def said(done: Comparison, *pairs: Pair) -> list[str]:
    return conclusions(replace(done, pairs=pairs))


def test_who_is_ahead_is_named_first(done: Comparison) -> None:
    sentence = (
        "{} decides better than {}: it alone is right on 9 samples, the other alone on 1 "
        "(adjusted p 0.030), and its F1 is higher by 0.200 [0.100 to 0.300]."
    )
    assert said(done, AHEAD) == [sentence.format("a", "b")]
    assert said(done, BEHIND) == [sentence.format("b", "a")]
    (one,) = said(done, replace(AHEAD, mcnemar=McNemar(1, 0, 0.02)))
    assert "it alone is right on 1 sample, the other alone on 0" in one


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (
            replace(BEHIND, interval=Interval(-0.3, 0.05)),
            "b over a (adjusted p 0.030, difference in F1 0.200 [-0.050 to 0.300])",
        ),
        (
            replace(BEHIND, p_adjusted=0.2, mcnemar=McNemar(5, 5, 1.0)),
            "b over a (adjusted p 0.200, difference in F1 0.200 [0.100 to 0.300])",
        ),
        (
            # more decisions right, and yet the lower F1
            replace(AHEAD, difference=-0.2, interval=Interval(-0.3, -0.1)),
            "a over b (adjusted p 0.030, difference in F1 -0.200 [-0.300 to -0.100])",
        ),
        (
            replace(AHEAD, difference=None, interval=None),
            "a over b (adjusted p 0.030, difference in F1 unknown)",
        ),
    ],
)
def test_where_the_tests_disagree_both_are_shown(done: Comparison, pair: Pair, words: str) -> None:
    assert said(done, pair) == [
        f"Unclear, since McNemar's test and the difference in F1 disagree: {words}."
    ]


def test_what_cannot_be_told_apart_is_said(done: Comparison) -> None:
    other = replace(SAME, first="e")
    assert said(done, SAME) == ["These 60 samples cannot tell apart: c and d."]
    assert said(done, SAME, other) == ["These 60 samples cannot tell any two of the systems apart."]
    assert said(done, SAME, AHEAD, other)[1] == (
        "These 60 samples cannot tell apart: c and d; e and d."
    )


def test_what_varies_is_said(done: Comparison) -> None:
    samples = done.data.samples
    alone, seeds = made_system("a", samples, 1), made_system("b", samples, 2, 11)
    assert varied(alone) is None
    assert varied(seeds) == "training seeds 2, 11"
    one, two = (replace(member, fold_seed=3) for member in seeds.members)
    folded = replace(seeds, protocol=Protocol.CROSS_FIT, members=(one, two))
    assert varied(folded) == "training seeds 2, 11; folds are those of seed 3 for all"
    both = replace(folded, members=(one, replace(two, fold_seed=0)))
    assert varied(both) == "training seeds 2, 11; and folds, of seeds 3, 0 in this order"
    entry = replace(done.entries[0], system=folded)
    shown = replace(done, entries=(entry, *done.entries[1:]))
    sentences = method(shown)
    assert f"± of b (2 seeds, cross-fit): {varied(folded)}." in sentences
    assert any("the models of different folds gave" in sentence for sentence in sentences)
    assert not any("different folds" in sentence for sentence in method(done))


def test_the_subject(done: Comparison) -> None:
    assert subject(done) == (
        "3 systems on 60 samples: 24 real smells (TP) and 36 false alarms (FP), in 12 groups "
        "(60 by file)."
    )


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, "1.000"), (0.0512, "0.051"), (0.0009, "9.0e-04"), (1e-12, "1.0e-12")]
)
def test_no_p_is_shown_as_zero(p: float, text: str) -> None:
    assert p_value(p) == text
