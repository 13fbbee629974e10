"""iacfilter_hpc.samples.check: samples that contradict themselves, and unknown names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iacfilter_hpc.samples.check import contradictions_in, unknown_names
from iacfilter_hpc.samples.sample import read_samples
from tests.samples.made import DEMO, REAL_DATA, numbered, sample


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"line": 14}, "line 14 is outside detection_span [15, 25]"),
        ({"line": 26}, "line 26 is outside detection_span [15, 25]"),
        ({"line": 21}, "content is not on line 21 of with_context"),
        ({"content": "another line"}, "content is not on line 20 of with_context"),
        ({"detection_span": (16, 25)}, "content is not on line 20 of with_context"),
        ({"with_context": ""}, "with_context is empty"),
        ({"with_context": "\n \n\t"}, "with_context is empty"),
        (
            {"with_context": "one\ntwo"},
            "with_context has 2 lines, and line 20 is not among them",
        ),
        ({"with_context": "one"}, "with_context has 1 line, and line 20 is not among them"),
        ({"content": ""}, None),
    ],
)
def test_a_sample_is_of_one_place(changes: dict[str, object], problem: str | None) -> None:
    found = list(contradictions_in(replace(sample(1), **changes)))  # type: ignore[arg-type]
    assert found == ([] if problem is None else [problem])


def test_spelling_is_no_contradiction() -> None:
    one = sample(1)
    assert not list(contradictions_in(replace(one, content=f"'{one.content.upper()}'  ")))


def test_names_that_nothing_knows() -> None:
    odd = replace(sample(1), smell="use of htpp", technology="ansibel")
    known = replace(sample(2), smell="Use of HTTP without TLS", technology="puppet")
    assert list(unknown_names([*numbered(0, 9), odd, odd, known])) == [
        "2 samples of smell 'use of htpp', which is of none of GLITCH's 43 rules",
        "2 samples of technology 'ansibel', which is none of ansible, chef, puppet, "
        "terraform, github-actions",
    ]


def test_the_demo_has_nothing_odd() -> None:
    samples = [one for path in DEMO.glob("*.jsonl") for one in read_samples(path)]
    assert not [problem for one in samples for problem in contradictions_in(one)]
    assert not list(unknown_names(samples))


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_the_real_data_have_nothing_odd() -> None:
    samples = [one for path in REAL_DATA.glob("*/*.jsonl") for one in read_samples(path)]
    assert len(samples) > 2000
    assert not [problem for one in samples for problem in contradictions_in(one)]
    assert not list(unknown_names(samples))
