"""After a step: a batch script's last command, which queues the run again or leaves it.

Run by the batch shell after srun has returned, when all that the attempt did is saved: `scontrol
requeue` leaves a job's processes no time at all. Light, since a preempted job has seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from iacfilter_hpc.checkpoints.checkpoints import newest_step
from iacfilter_hpc.errors import IacfilterError, SlurmError, SubmissionError
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.failures import memory_ran_out, nodes_at_fault, outcome_of_killed
from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.progress import last_step
from iacfilter_hpc.runs.records import Continuation, Outcome
from iacfilter_hpc.runs.states import FailureCause, JobState
from iacfilter_hpc.runs.variables import RESTARTS
from iacfilter_hpc.slurm.jobs import JobNow, JobReason, job_now, requeue, resubmit
from iacfilter_hpc.slurm.queue import accounted
from iacfilter_hpc.slurm.retry import retry_while_away
from iacfilter_hpc.worker.requeue_policy import Action, RequeueDecision, decide

GOES_ON = os.EX_TEMPFAIL
"""Of a job that another one goes on from: not 0, which would tell others that the run is done."""
ACCOUNTED_S = 3.0
"""How long accounting may take to hear how a job ends.

Measured on a small cluster: .1 s after an end, 1.1 s at most after a submission.
"""
OVER = frozenset((JobState.PREEMPTED, JobState.TIMEOUT))
"""Ends after which Slurm does nothing more: PreemptMode=CANCEL, and a limit met while saving."""
KILL_S = 60
"""How long Slurm may take to end this shell after it has taken the job back.

Twice the default of KillWait, after which it kills what SIGTERM has not ended.
Source: https://slurm.schedmd.com/slurm.conf.html#OPT_KillWait
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedStep:
    """A step of a job that has ended, and what the batch script knows of it."""

    layout: RunLayout
    job_id: str
    restarts: int
    exit_code: int
    """Of srun."""
    limit: int
    """Attempts that the run may have in all."""
    exclude_hours: float
    """How long a node at fault is kept off."""

    @property
    def attempt(self) -> str:
        return attempt_name(self.job_id, self.restarts)


def main() -> int:
    """Follow the step that has ended; the job's exit code."""
    step = _ended_step()
    try:
        return _follow(step)
    except IacfilterError as error:
        _say(error.text())
        # not 0 although srun may have ended well: nothing goes on, and somebody has to see it
        return step.exit_code or 1


def _ended_step() -> EndedStep:
    """The step that the arguments and Slurm's variables name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--code", type=int, required=True)
    parser.add_argument("--limit", type=int, required=True)
    parser.add_argument("--exclude-hours", type=float, required=True)
    args = parser.parse_args()
    return EndedStep(
        layout=RunLayout(args.directory),
        job_id=os.environ["SLURM_JOB_ID"],
        # absent in the first attempt of a job
        restarts=int(os.environ.get(RESTARTS, "0")),
        exit_code=args.code,
        limit=args.limit,
        exclude_hours=args.exclude_hours,
    )


def _follow(step: EndedStep) -> int:
    layout, outcome = step.layout, _outcome_of(step)
    # how the attempt ended does not say what Slurm is about to do with the job: both decide
    now = retry_while_away(lambda: job_now(step.job_id))
    if now.restarts != step.restarts:  # this node was lost, and what runs is another attempt
        return _leave(step, outcome, "Slurm says that it has started the job again")
    state = now.state if now.state is JobState.RUNNING else _end_of(step.job_id, now)
    if state is not JobState.RUNNING and state not in OVER:
        # cancelled, or taken back by Slurm itself, which then starts it again on its own
        word = (now.said or state) if state is JobState.UNKNOWN else state
        return _leave(step, outcome, f"Slurm says {word}")
    # the chain begins where a person submitted or resumed: what was tried before does not count
    chain = records.outcomes_of_chain(layout, step.job_id)
    # this one may be there already, as its worker wrote it, and must not count twice
    before = [each for each in chain if each.attempt != step.attempt]
    decision = decide([*before, outcome], step.limit)
    _say(f"attempt {step.attempt}: {outcome.state}, {decision.action}: {decision.why}")
    if decision.action is Action.STOP:
        _leave(step, outcome, decision.why)
        # 0 would start what waits for a finished run
        unfinished = 0 if outcome.state == JobState.COMPLETED else 1
        return outcome.exit_code or step.exit_code or unfinished
    layout.drain.unlink(missing_ok=True)
    # a job that Slurm has ended for good cannot be requeued: only a new one goes on
    can_requeue = decision.action is Action.AGAIN and state not in OVER
    return _go_on(step, outcome, decision, can_requeue=can_requeue)


def _outcome_of(step: EndedStep) -> Outcome:
    """Outcome of the attempt: as its worker says, else as its other files and Slurm's log do."""
    layout = step.layout
    outcome = records.outcome(layout, step.attempt) or outcome_of_killed(
        layout, step.job_id, step.restarts, newest_step(layout)
    )
    if outcome.cause == FailureCause.KILLED and memory_ran_out(layout, step.attempt):
        # the step is what tells later whether memory ran out there before
        return replace(outcome, cause=FailureCause.MEMORY, step=last_step(layout))
    return outcome


def _leave(step: EndedStep, outcome: Outcome, why: str) -> int:
    """Note in the outcome why nothing is done; the step's exit code."""
    records.write_record(step.layout.outcome(step.attempt), replace(outcome, why=why))
    return step.exit_code


def _end_of(job_id: str, now: JobNow) -> JobState:
    """State that a COMPLETING job ends in, while this shell has KillWait to live.

    Accounting knows, a moment after the controller; without it a time limit is known all the same.
    """
    if now.reason == JobReason.TIME_LIMIT:
        return JobState.TIMEOUT
    until = time.monotonic() + ACCOUNTED_S
    while now.state is JobState.COMPLETING and time.monotonic() < until:
        entry = accounted([job_id]).get(job_id)
        if entry is not None and entry.ended:
            return entry.state
        # sacct takes .1 s, and slurmdbd answers for the whole cluster
        time.sleep(0.2)
    return now.state


def _go_on(
    step: EndedStep, outcome: Outcome, decision: RequeueDecision, *, can_requeue: bool
) -> int:
    layout = step.layout
    # requeued, as `next` says here; where a new job goes on instead, its id replaces that below
    noted = replace(outcome, next=str(Continuation()), why=decision.why)
    if can_requeue:
        # written first: nothing can be done once Slurm has the job back
        records.write_record(layout.outcome(outcome.attempt), noted)
        # the shell ignored it; from now on it is Slurm that ends us, and not only after KillWait
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            retry_while_away(lambda: requeue(step.job_id))
        except SlurmError as error:
            # what follows must not be broken off by a preemption
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _say(f"{error.message}; the run goes on as a new job")
        else:
            # a batch script that ended by itself now might be taken for a job that is done
            time.sleep(KILL_S)
            return 0
    bad = _nodes_at_fault(layout, outcome, step.exclude_hours)
    try:
        new, bad = _new_job(layout, step.job_id, bad)
    except IacfilterError as error:
        # from `outcome`, whose `next` is empty: nobody may be told that the run goes on
        noted = replace(outcome, why=f"{decision.why}, but {error.message}")
        records.write_record(layout.outcome(outcome.attempt), noted)
        raise
    _say(f"the run goes on as job {new}" + (f", not on {', '.join(bad)}" if bad else ""))
    noted = replace(noted, next=str(Continuation(new_job=new)))
    records.write_record(layout.outcome(outcome.attempt), noted)
    return GOES_ON


def _new_job(layout: RunLayout, job_id: str, bad: list[str]) -> tuple[str, list[str]]:
    """The id of the job that the run goes on as, and the nodes that it keeps off."""
    try:
        return resubmit(layout, job_id, bad), bad
    except SubmissionError as error:
        if not bad:
            raise
        # a node under suspicion is better than no run
        _say(f"{error.message}; without the other nodes there are too few")
        return resubmit(layout, job_id, []), []


def _nodes_at_fault(layout: RunLayout, outcome: Outcome, hours: float) -> list[str]:
    """Nodes on which an attempt of the run failed of the node within the last hours."""
    since = time.time() - hours * 3600
    found = {
        node
        for each in [*records.outcomes(layout), outcome]
        if each.cause == FailureCause.NODE and records.moment(each.ended_at).timestamp() >= since
        # where no process lived to name its node, it may be any of the attempt's
        for node in nodes_at_fault(layout, each.attempt) or each.nodes
    }
    return sorted(found)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the job's log


if __name__ == "__main__":
    sys.exit(main())
