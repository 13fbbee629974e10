"""iacfilter_hpc.samples.duplicates and dedupe: what is the same, and what only looks so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iacfilter_hpc.samples.duplicates import KINDS, Kind, find_ties, without_duplicates
from iacfilter_hpc.samples.hashes import normalised
from iacfilter_hpc.samples.sample import Sample
from tests.samples.made import numbered, sample, without_origin


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("password: 'x'", 'password:  "x"'),
        ("$Password='X'", "\t$password = 'x' "),
        ("a\r\n  b", "a b"),
        ("STRASSE", "stra\u00dfe"),
        ("a\u00a0b", "ab"),
    ],
)
def test_case_space_and_quotes_do_not_matter(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("one", "other"), [("a: 1", "a: 2"), ("a-b", "a_b"), ("# x", "x")])
def test_everything_else_matters(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def tied(samples: list[Sample], *kinds: Kind) -> list[tuple[Kind, tuple[int, ...]]]:
    return [(tie.kind, tie.members) for tie in find_ties(samples, kinds or KINDS)]


def test_samples_of_their_own_have_no_tie() -> None:
    assert tied(numbered(0, 60)) == []


def test_content_counts_only_for_the_same_smell() -> None:
    one, other = sample(1, smell="use_of_http"), sample(2, smell="use_of_http")
    same = replace(other, content=one.content.upper())
    assert tied([one, same]) == [("content", (0, 1))]
    assert tied([one, replace(same, smell="empty_password")]) == []


def test_texts_of_nothing_are_no_tie() -> None:
    empty = [
        replace(sample(n, smell="use_of_http"), content=" '' ", with_context="") for n in (1, 2)
    ]
    assert tied(empty) == []


def test_files_of_two_repositories_may_have_one_path() -> None:
    one, two = (replace(sample(n), file="tasks/main.yml") for n in (1, 2))
    assert tied([one, two]) == []
    assert tied([one, replace(two, repo=one.repo)]) == [("file", (0, 1)), ("repo", (0, 1))]
    assert tied([one, without_origin(two)]) == [("file", (0, 1))]
    assert tied([without_origin(one), without_origin(two)]) == [("file", (0, 1))]


def test_neighbouring_lines_of_one_file_are_not_near() -> None:
    one = sample(1)
    lines = one.with_context.split("\n")
    next_one = replace(
        one, line=21, content=lines[6].strip(), with_context="\n".join([*lines[1:], "last: line"])
    )
    assert tied([one, next_one], "near-context") == []
    copied = replace(next_one, file="copy.yml")
    assert tied([one, copied], "near-context") == [("near-context", (0, 1))]


@pytest.mark.parametrize(("changed", "near"), [(1, True), (5, False)])
def test_how_near_is_near(changed: int, near: bool) -> None:
    one, other = sample(1), sample(2)
    lines = one.with_context.split("\n")
    lines[:changed] = other.with_context.split("\n")[:changed]
    copied = replace(other, with_context="\n".join(lines))
    assert bool(tied([one, copied], "near-context")) is near


def test_duplicates_leave_the_first() -> None:
    one, other, third = (sample(n, smell="use_of_http") for n in (1, 2, 3))
    double = replace(other, content=f" {one.content.upper()}")
    kept, duplicates = without_duplicates([one, third, double, one])
    assert kept == [one, third]
    assert [(d.sample, d.first) for d in duplicates] == [(double, one), (one, one)]


def test_a_duplicate_may_name_its_smell_otherwise() -> None:
    one = sample(1, smell="use_of_http")
    double = replace(sample(2), smell="Use of HTTP without TLS", content=one.content)
    assert without_duplicates([one, double])[0] == [one]


def test_another_line_of_the_same_context_is_no_duplicate() -> None:
    one = sample(1)
    samples = [one, replace(one, line=21, content="another line"), replace(one, smell="other")]
    assert without_duplicates(samples) == (samples, [])


def test_empty_lines_are_no_duplicates() -> None:
    samples = [replace(sample(n, smell="use_of_http"), content="''") for n in (1, 2)]
    assert without_duplicates(samples) == (samples, [])
