"""iacfilter_hpc.worker.requeue_policy: what follows each way in which an attempt ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iacfilter_hpc.runs.records import Outcome
from iacfilter_hpc.worker.requeue_policy import FRUITLESS, decide

LIMIT = 20


def ended(state: str, cause: str = "", step: int | None = None, saved: int = 0) -> Outcome:
    """An attempt that ended so; `saved` is the step of the newest checkpoint by then."""
    return Outcome(
        job_id="7",
        state=state,
        exit_code=0 if state in ("COMPLETED", "DRAINED") else 1,
        message="",
        cause=cause,
        step=step,
        saved=saved,
        started_at="2026-01-02T03:04:05Z",
        ended_at="2026-01-02T03:05:05Z",
        nodes=["gpu1", "gpu2"],
    )


def failed(cause: str, step: int | None = None, saved: int = 0) -> Outcome:
    return ended("FAILED", cause, step, saved)


COMPLETED, CANCELLED, DRAINED = (ended(state) for state in ("COMPLETED", "CANCELLED", "DRAINED"))
KILLED = failed("killed")

CASES = {
    "finished": ([COMPLETED], "stop", "it is finished"),
    "cancelled": ([CANCELLED], "stop", "it was cancelled"),
    "cancelled after a drain": ([DRAINED, CANCELLED], "stop", "it was cancelled"),
    "drained": ([DRAINED], "again", "it saved and stopped as asked"),
    "an error of ours": ([failed("error")], "stop", "it would fail again"),
    "any other exception": ([failed("exception", 8)], "stop", "an error in the code would come"),
    "an exception after progress": ([DRAINED, failed("exception", 8, 8)], "stop", "an error in"),
    "killed": ([KILLED], "again", "its processes were killed"),
    "a cause that nobody knows": ([failed("")], "again", "its processes were killed"),
    "node": ([failed("node", 8)], "elsewhere", "gpu1, gpu2 may be at fault"),
    "a node, and a killed worker that named none": (
        [replace(failed("node", 8), nodes=[])],
        "elsewhere",
        "a node of the job may be at fault",
    ),
    "node after node": ([failed("node", 8)] * 3, "elsewhere", "gpu1, gpu2 may be at fault"),
    "memory": ([failed("memory", 8)], "again", "memory ran out at step 8, for the first time"),
    "memory at once": ([failed("memory")], "again", "memory ran out before the first step, for"),
    "memory at the same step": (
        [failed("memory", 8), failed("memory", 8)],
        "stop",
        "memory ran out at step 8 again: a smaller --batch-size needs less",
    ),
    "memory at once, twice": (
        [failed("memory"), failed("memory")],
        "stop",
        "memory ran out before the first step again",
    ),
    "memory at the same step, with others between": (
        [failed("memory", 8), DRAINED, KILLED, failed("memory", 8)],
        "stop",
        "memory ran out at step 8 again",
    ),
    "memory at another step": (
        [failed("memory", 8), failed("memory", 9, 8)],
        "again",
        "memory ran out at step 9, for the first time there",
    ),
    "memory at another step, nothing saved between": (
        [failed("memory", 8), failed("memory", 9)],
        "stop",
        "memory ran out at step 9, again with nothing saved since",
    ),
    "another failure at that step": ([failed("node", 8), failed("memory", 8)], "again", "memory"),
    "killed, almost too often": (
        [KILLED] * (FRUITLESS - 1),
        "again",
        "its processes were killed",
    ),
    "killed too often": (
        [KILLED] * FRUITLESS,
        "stop",
        "5 attempts in a row were killed and saved nothing new",
    ),
    "killed often, and once it saved": (
        [*[KILLED] * (FRUITLESS - 1), failed("killed", saved=4)],
        "again",
        "its processes were killed",
    ),
    "killed too often after it had saved": (
        [ended("DRAINED", saved=2), *[failed("killed", saved=4)] * FRUITLESS],
        "stop",
        "5 attempts in a row were killed",
    ),
    "preempted too early, too often": (
        [DRAINED] * FRUITLESS,
        "stop",
        "5 attempts in a row saved nothing new: more --time?",
    ),
    "preempted often, and each time it saved": (
        [ended("DRAINED", saved=step) for step in range(FRUITLESS)],
        "again",
        "it saved and stopped as asked",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_follows(name: str) -> None:
    outcomes, action, why = CASES[name]
    found = decide(outcomes, LIMIT)
    assert found.action == action
    assert found.why.startswith(why)


@pytest.mark.parametrize(
    "last", [ended("DRAINED", saved=9), failed("killed", saved=9), failed("node", 8, 9)]
)
def test_the_limit_counts_every_attempt(last: Outcome) -> None:
    outcomes = [*(ended("DRAINED", saved=step) for step in range(2)), last]
    assert decide(outcomes, 4).action != "stop"
    found = decide(outcomes, 3)
    assert found.action == "stop"
    assert found.why == "3 attempts are as many as requeue.limit allows"


def test_one_attempt_if_that_is_wanted() -> None:
    assert decide([DRAINED], 1).action == "stop"


def test_at_the_limit_a_better_reason_is_told() -> None:
    assert decide([failed("error")], 1).why == "it would fail again"
    assert decide([COMPLETED], 1).why == "it is finished"
