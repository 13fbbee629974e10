"""Verdicts: what counts as an answer, and what votes come to; nothing has a label by default."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iacfilter_hpc.teaching.verdicts import (
    NoCompletion,
    NoLabel,
    Votes,
    read_completion,
    read_verdict,
)
from tests.teaching.faulty_server import completion


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("TP", "TP"),
        ("fp.", "FP"),
        ("Answer: TP", "TP"),
        ("**Answer:** FP", "FP"),
        ("The final answer is: `TP`", "TP"),
        ('{"label": "FP"}', "FP"),
        ("The literal is a password.\n\nAnswer: TP\n", "TP"),
        ("TP\n\nThe literal is a password.", "TP"),
        ("<think>FP? No.\nAnswer: FP</think>\n\nTP", "TP"),
        ("it may be FP</think>TP", "TP"),
        ("", None),
        ("yes", None),
        ("TP?", None),
        ("not TP", None),
        ("!TP", None),
        ("TP, unless the vault is used", None),
        ("TP or FP", None),
        ("This is TP", None),
        ("TP\nbut on reflection\nFP", None),
        ("<think>Answer: TP", None),
        ("http", None),
        ("Answer: T P", None),
    ],
)
def test_what_a_text_says(text: str, label: str | None) -> None:
    assert read_verdict(text) == label


def test_a_text_that_is_cut_may_go_on_otherwise() -> None:
    assert read_verdict("The value is a path.\nAnswer: TP", is_cut=True) is None
    assert read_verdict("TP", is_cut=True) is None
    assert read_verdict("FP\nThe value is a pa", is_cut=True) == "FP"


@given(st.text(max_size=60))
def test_a_text_without_the_words_says_nothing(text: str) -> None:
    assert "TP" in text.upper() or "FP" in text.upper() or read_verdict(text) is None


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("<html>", "not JSON"),
        ("[1]", "not an object"),
        ("{}", "choices.0.message is missing"),
        ('{"choices": []}', "choices.0.message is missing"),
        ('{"choices": {"0": 1}}', "choices.0.message is missing"),
        ('{"choices": [{"message": "TP"}]}', "choices.0.message is missing"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_completion(raw: str, problem: str) -> None:
    with pytest.raises(NoCompletion, match=problem.replace(".", r"\.")):
        read_completion(raw)


def test_a_completion() -> None:
    found = read_completion(completion("TP"))
    assert (found.verdict, found.prompt_tokens, found.completion_tokens) == ("TP", 100, 10)
    for usage in (None, {}, {"prompt_tokens": "many", "completion_tokens": True}, [1]):
        found = read_completion(completion("TP", usage=usage))
        assert (found.prompt_tokens, found.completion_tokens) == (None, None)
    for text in (None, ["TP"], {"text": "TP"}):
        assert read_completion(completion(text)).verdict is None
    assert read_completion(completion("x\nTP", finish="length")).verdict is None
    assert json.loads(completion("TP"))["choices"]


@pytest.mark.parametrize(
    ("wanted", "verdicts", "least", "outcome"),
    [
        (1, ["TP"], 0, "TP"),
        (1, [None], 0, NoLabel.UNREADABLE),
        (1, [], 0, NoLabel.UNANSWERED),
        (3, ["FP", "TP", "FP"], 0, "FP"),
        (2, ["FP", "TP"], 0, NoLabel.UNDECIDED),
        (4, ["FP", "TP", "FP", "TP"], 0, NoLabel.UNDECIDED),
        (3, ["TP", None, None], 0, NoLabel.UNDECIDED),
        (3, ["TP", "TP"], 0, "TP"),
        (3, ["TP"], 0, NoLabel.UNANSWERED),
        (3, ["TP", "TP", "FP"], 0.7, NoLabel.UNDECIDED),
        (3, ["TP", "TP", "TP"], 1, "TP"),
    ],
)
def test_what_votes_come_to(
    wanted: int, verdicts: list[str | None], least: float, outcome: object
) -> None:
    assert Votes.of(wanted, verdicts).decide(least) == outcome  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(["TP", "FP", None]), max_size=9), st.integers(1, 9))
def test_a_label_has_more_than_half_of_all_votes(verdicts: list[str | None], wanted: int) -> None:
    votes = Votes.of(wanted, verdicts[:wanted])  # type: ignore[arg-type]
    outcome = votes.decide(0.5)
    if not isinstance(outcome, NoLabel):
        assert 2 * verdicts[:wanted].count(outcome) > wanted
        assert votes.agreement > 0.5
