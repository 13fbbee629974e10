"""What a batch script does once its attempt has ended: queue the run again, or leave it.

Run by the batch shell after srun has returned, when all that the attempt did is saved: `scontrol
requeue` leaves a job's processes no time at all. Light, since a preempted job has seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.checkpoints.checkpoints import newest_step
from iacfilter_hpc.errors import IacfilterError, SlurmUnreachable, SubmissionError
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.failures import memory_ran_out, nodes_at_fault, outcome_of_killed
from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.progress import last_step
from iacfilter_hpc.runs.records import Outcome
from iacfilter_hpc.slurm.client import patiently
from iacfilter_hpc.slurm.jobs import JobNow, job_now, requeue, resubmit
from iacfilter_hpc.slurm.queue import accounted
from iacfilter_hpc.worker.requeue_policy import Decision, decide

GOES_ON = os.EX_TEMPFAIL
"""Of a job that another one goes on from: not 0, which would tell others that the run is done."""
ACCOUNTED_S = 3.0
"""How long accounting may take to hear how a job ends."""
OVER = frozenset(("PREEMPTED", "TIMEOUT"))
"""Ends after which Slurm does nothing more: PreemptMode=CANCEL, and a limit met while saving."""
KILL_S = 60
"""How long Slurm may take to end this shell after it has taken the job back."""


def main() -> int:
    """Decide, act, and end with the job's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--code", type=int, required=True)
    parser.add_argument("--limit", type=int, required=True)
    parser.add_argument("--exclude-hours", type=float, required=True)
    given = parser.parse_args()
    layout, job_id = RunLayout(given.directory), os.environ["SLURM_JOB_ID"]
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    try:
        return _follow(layout, job_id, restarts, given)
    except IacfilterError as error:
        _say(error.text())
        return int(given.code) or 1


def _follow(layout: RunLayout, job_id: str, restarts: int, given: argparse.Namespace) -> int:
    attempt = attempt_name(job_id, restarts)
    saved = newest_step(layout)
    outcome = records.outcome(layout, attempt) or outcome_of_killed(layout, job_id, restarts, saved)
    if outcome.cause == "killed" and memory_ran_out(layout, attempt):
        outcome = replace(outcome, cause="memory", step=last_step(layout))
    now = patiently(lambda: job_now(job_id))
    if now.restarts != restarts:  # this node was lost, and what runs is another attempt
        now = replace(now, state="that it has started the job again", reason="")
    state = now.state if now.state == "RUNNING" else _end_of(job_id, now)
    if state != "RUNNING" and state not in OVER:
        # cancelled, or taken back by Slurm itself, which then starts it again on its own
        records.write_record(layout.outcome(attempt), replace(outcome, why=f"Slurm says {state}"))
        return int(given.code)
    before = [each for each in records.outcomes_of_chain(layout, job_id) if each.attempt != attempt]
    decision = decide([*before, outcome], given.limit)
    _say(f"attempt {attempt}: {outcome.state}, {decision.action}: {decision.why}")
    if decision.action == "stop":
        records.write_record(layout.outcome(attempt), replace(outcome, why=decision.why))
        # 0 would start what waits for a finished run
        unfinished = 0 if outcome.state == "COMPLETED" else 1
        return outcome.exit_code or int(given.code) or unfinished
    layout.drain.unlink(missing_ok=True)
    can_requeue = decision.action == "again" and state not in OVER
    return _go_on(layout, job_id, outcome, decision, can_requeue, given.exclude_hours)


def _end_of(job_id: str, now: JobNow) -> str:
    """How a job ends that is COMPLETING, while this shell has KillWait to live.

    Accounting knows, a moment after the controller; without it a time limit is known all the same.
    """
    if now.reason == "TimeLimit":
        return "TIMEOUT"
    until = time.monotonic() + ACCOUNTED_S
    while now.state == "COMPLETING" and time.monotonic() < until:
        entry = accounted([job_id]).get(job_id)
        if entry is not None and entry.ended:
            return entry.state
        time.sleep(0.2)
    return now.state


def _go_on(
    layout: RunLayout,
    job_id: str,
    outcome: Outcome,
    decision: Decision,
    can_requeue: bool,
    exclude_hours: float,
) -> int:
    noted = replace(outcome, next="requeued", why=decision.why)
    if can_requeue:
        # written first: nothing can be done once Slurm has the job back
        records.write_record(layout.outcome(outcome.attempt), noted)
        # the shell ignored it; from now on it is Slurm that ends us, and not only after KillWait
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            patiently(lambda: requeue(job_id))
        except SlurmUnreachable as error:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _say(f"{error.message}; the run goes on as a new job")
        else:
            time.sleep(KILL_S)
            return 0
    bad = _nodes_at_fault(layout, outcome, exclude_hours)
    try:
        new, bad = _new_job(layout, job_id, bad)
    except IacfilterError as error:
        noted = replace(outcome, why=f"{decision.why}, but {error.message}")
        records.write_record(layout.outcome(outcome.attempt), noted)
        raise
    _say(f"the run goes on as job {new}" + (f", not on {', '.join(bad)}" if bad else ""))
    records.write_record(layout.outcome(outcome.attempt), replace(noted, next=new))
    return GOES_ON


def _new_job(layout: RunLayout, job_id: str, bad: list[str]) -> tuple[str, list[str]]:
    """The id of the job that the run goes on as, and the nodes that it keeps off."""
    try:
        return resubmit(layout, job_id, bad), bad
    except SubmissionError as error:
        if not bad:
            raise
        _say(f"{error.message}; without the other nodes there are too few")
        return resubmit(layout, job_id, []), []


def _nodes_at_fault(layout: RunLayout, outcome: Outcome, hours: float) -> list[str]:
    """Nodes on which an attempt of the run failed of the node within the last hours."""
    since = time.time() - hours * 3600
    found = {
        node
        for each in [*records.outcomes(layout), outcome]
        if each.cause == "node" and records.moment(each.ended_at).timestamp() >= since
        for node in nodes_at_fault(layout, each.attempt) or each.nodes
    }
    return sorted(found)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the job's log


if __name__ == "__main__":
    sys.exit(main())
