"""iacfilter_hpc.runs.states: the words that files and people know, and what they mean."""

from __future__ import annotations

import json

import pytest

from iacfilter_hpc.runs.records import Continuation
from iacfilter_hpc.runs.states import ENDED, Executor, FailureCause, JobState, Purpose

WORDS = {
    FailureCause: ["", "error", "exception", "memory", "node", "killed"],
    Executor: ["slurm", "local"],
    Purpose: ["train", "evaluate"],
}


@pytest.mark.parametrize("kind", WORDS)
def test_files_of_earlier_versions_use_the_same_words(
    kind: type[FailureCause | Executor | Purpose],
) -> None:
    assert json.loads(json.dumps(list(kind))) == WORDS[kind]
    assert [f"{word}" for word in kind] == WORDS[kind]


def test_a_state_is_its_name() -> None:
    assert all(state.name == state.value == f"{state}" for state in JobState)


@pytest.mark.parametrize("word", ["DREAMING", "", "running", "RUNNING "])
def test_a_word_that_is_no_state_is_unknown(word: str) -> None:
    assert JobState(word) is JobState.UNKNOWN
    assert not JobState.UNKNOWN.ended


def test_what_slurm_says_of_a_job_that_has_ended() -> None:
    assert {state.value for state in ENDED} == set(
        "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED "
        "TIMEOUT".split()
    )
    assert {state for state in JobState if state.ended} == ENDED | {JobState.DRAINED}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("requeued", Continuation()), ("90", Continuation(new_job="90"))],
)
def test_what_goes_on_with_a_run(text: str, expected: Continuation | None) -> None:
    assert Continuation.parse(text) == expected
    assert ("" if expected is None else str(expected)) == text
