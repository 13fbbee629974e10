"""Requeue policy: whether a run goes on after an attempt, by evidence of how that ended (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from iacfilter_hpc.errors import counted
from iacfilter_hpc.runs.records import Outcome
from iacfilter_hpc.runs.states import FailureCause, JobState

FRUITLESS = 5
"""Attempts in a row that may end without a newer checkpoint.

Preemptions may come close together; a time limit that is too short for one save comes for ever.
"""

SMALLER = "a smaller --batch-size needs less"


class Action(StrEnum):
    """Action of a batch script after an attempt."""

    AGAIN = "again"
    """Requeue the job; where that is refused, submit it as a new one."""
    ELSEWHERE = "elsewhere"
    """Submit a new job that keeps off the nodes at fault, as a requeued one cannot."""
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class RequeueDecision:
    """Action after an attempt, and why, for the log and the outcome."""

    action: Action
    why: str


def decide(outcomes: Sequence[Outcome], limit: int) -> RequeueDecision:
    """Decide what follows the last of a run's outcomes; `limit` is the number of attempts in all.

    Goes on after what may not happen again (a preemption, a time limit, a node, a kill), and not
    after what would happen again: wrong data, an error in the code, no memory at the same step.
    """
    last = outcomes[-1]
    if last.state == JobState.COMPLETED:
        return RequeueDecision(Action.STOP, "it is finished")
    if last.state == JobState.CANCELLED:
        return RequeueDecision(Action.STOP, "it was cancelled")
    # before the limit, so that the better of two reasons to stop is told
    decision = _by_evidence(outcomes)
    if decision.action is not Action.STOP and len(outcomes) >= limit:
        attempts = counted(len(outcomes), "attempt is", "attempts are")
        return RequeueDecision(Action.STOP, f"{attempts} as many as requeue.limit allows")
    return decision


def _by_evidence(outcomes: Sequence[Outcome]) -> RequeueDecision:
    last = outcomes[-1]
    if last.state == JobState.DRAINED:
        if _is_stuck(outcomes):
            return RequeueDecision(
                Action.STOP,
                f"{FRUITLESS} attempts in a row saved nothing new: more --time?",
            )
        return RequeueDecision(Action.AGAIN, "it saved and stopped as asked")
    match last.cause:
        case FailureCause.ERROR:
            return RequeueDecision(Action.STOP, "it would fail again")
        case FailureCause.EXCEPTION:
            return RequeueDecision(Action.STOP, "an error in the code would come again")
        case FailureCause.MEMORY:
            return _memory(outcomes)
        case FailureCause.NODE:
            # a worker that was killed has named none
            nodes = ", ".join(last.nodes) or "a node of the job"
            return RequeueDecision(Action.ELSEWHERE, f"{nodes} may be at fault")
    # killed, or for a cause that only a later version knows
    if _is_stuck(outcomes):
        return RequeueDecision(
            Action.STOP,
            f"{FRUITLESS} attempts in a row were killed and saved nothing new",
        )
    return RequeueDecision(Action.AGAIN, "its processes were killed")


def _is_stuck(outcomes: Sequence[Outcome]) -> bool:
    newest = outcomes[-FRUITLESS:]
    return len(newest) == FRUITLESS and len({outcome.saved for outcome in newest}) == 1


def _memory(outcomes: Sequence[Outcome]) -> RequeueDecision:
    last = outcomes[-1]
    before = [outcome for outcome in outcomes[:-1] if outcome.cause == FailureCause.MEMORY]
    where = "before the first step" if last.step is None else f"at step {last.step}"
    # the same step computes the same batch, also after a resume: it needs as much memory again
    if last.step in {outcome.step for outcome in before}:
        return RequeueDecision(Action.STOP, f"memory ran out {where} again: {SMALLER}")
    # a kill by the kernel is known to some steps only
    if last.saved in {outcome.saved for outcome in before}:
        return RequeueDecision(
            Action.STOP, f"memory ran out {where}, again with nothing saved since: {SMALLER}"
        )
    return RequeueDecision(Action.AGAIN, f"memory ran out {where}, for the first time there")
