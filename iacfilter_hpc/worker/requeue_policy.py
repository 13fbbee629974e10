"""Whether a run goes on after an attempt has ended: by evidence of how it ended, never blindly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from iacfilter_hpc.runs.records import Outcome

PATIENCE = 5
"""Attempts in a row that may end without a newer checkpoint."""

SMALLER = "a smaller --batch-size needs less"

Action = Literal["again", "elsewhere", "stop"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why; `elsewhere` is a new job that keeps off the nodes of this attempt."""

    action: Action
    why: str


def decide(outcomes: Sequence[Outcome], limit: int) -> Decision:
    """What follows the last of a run's outcomes; `limit` is the number of attempts in all.

    Goes on after what may not happen again (a preemption, a time limit, a node, a kill), and not
    after what would happen again: wrong data, an error in the code, no memory at the same step.
    """
    last = outcomes[-1]
    if last.state == "COMPLETED":
        return Decision("stop", "it is finished")
    if last.state == "CANCELLED":
        return Decision("stop", "it was cancelled")
    decision = _wanted(outcomes)
    if decision.action != "stop" and len(outcomes) >= limit:
        return Decision("stop", f"{len(outcomes)} attempts are as many as requeue.limit allows")
    return decision


def _wanted(outcomes: Sequence[Outcome]) -> Decision:
    last = outcomes[-1]
    if last.state == "DRAINED":
        if _is_stuck(outcomes):
            return Decision("stop", f"{PATIENCE} attempts in a row saved nothing new: more --time?")
        return Decision("again", "it saved and stopped as asked")
    match last.cause:
        case "error":
            return Decision("stop", "it would fail again")
        case "exception":
            return Decision("stop", "an error in the code would come again")
        case "memory":
            return _memory(outcomes)
        case "node":
            return Decision("elsewhere", f"{', '.join(last.nodes)} may be at fault")
    if _is_stuck(outcomes):
        return Decision("stop", f"{PATIENCE} attempts in a row were killed and saved nothing new")
    return Decision("again", "its processes were killed")


def _is_stuck(outcomes: Sequence[Outcome]) -> bool:
    newest = outcomes[-PATIENCE:]
    return len(newest) == PATIENCE and len({outcome.saved for outcome in newest}) == 1


def _memory(outcomes: Sequence[Outcome]) -> Decision:
    last = outcomes[-1]
    before = [outcome for outcome in outcomes[:-1] if outcome.cause == "memory"]
    where = "before the first step" if last.step is None else f"at step {last.step}"
    if last.step in {outcome.step for outcome in before}:
        return Decision("stop", f"memory ran out {where} again: {SMALLER}")
    # a kill by the kernel is known to some steps only
    if last.saved in {outcome.saved for outcome in before}:
        return Decision(
            "stop", f"memory ran out {where}, again with nothing saved since: {SMALLER}"
        )
    return Decision("again", f"memory ran out {where}, for the first time there")
