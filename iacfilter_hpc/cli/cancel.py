"""iacfilter-cancel: end the jobs of runs; what they have written stays."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import SlurmError
from iacfilter_hpc.runs import layout
from iacfilter_hpc.runs.layout import RunLayout


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Request to end the jobs of runs; `drain` asks them to save and stop instead."""

    models: Path
    runs: tuple[str, ...]
    drain: bool
    as_json: bool


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-cancel", __doc__.partition(": ")[2].strip())
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument(
        "--drain",
        action="store_true",
        help="save at the next step and give the nodes back; on Slurm the run is queued again",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    request = request_of(arguments().parse_args(argv))
    return terminal.run(lambda: _cancel(request))


def request_of(args: argparse.Namespace) -> CancelRequest:
    """The request that the flags make."""
    return CancelRequest(
        models=layout.models_dir(args.models_dir),
        runs=tuple(args.runs),
        drain=args.drain,
        as_json=args.json,
    )


def _cancel(request: CancelRequest) -> int:
    from iacfilter_hpc.runs.tree import find_run

    # all of them first: after a name that is none, nothing has been cancelled
    layouts = [find_run(request.models, name) for name in request.runs]
    if request.drain:
        return _drain(layouts, request.as_json)
    cancelled = {run.name: [*_cancel_local(run), *_cancel_slurm(run)] for run in layouts}
    if request.as_json:
        terminal.print_json({"cancelled": cancelled})
        return 0
    for name, job_ids in cancelled.items():
        for job_id in job_ids:
            print(f"Cancelled {job_id}: {name}")
        if not job_ids:
            terminal.say(f"{name} has no live job")
    return 0


def _drain(layouts: Sequence[RunLayout], as_json: bool) -> int:
    from iacfilter_hpc.runs.drain_request import ask

    asked = {run.name: [*_live_local(run), *_live_slurm(run)] for run in layouts}
    for run in layouts:
        if asked[run.name]:
            ask(run, "iacfilter-cancel --drain")
    if as_json:
        terminal.print_json({"asked": asked})
        return 0
    for name, job_ids in asked.items():
        for job_id in job_ids:
            print(f"Asked {job_id} to save and stop: {name}")
        if not job_ids:
            terminal.say(f"{name} has no running job")
    return 0


def _live_local(run: RunLayout) -> list[str]:
    from iacfilter_hpc.launch import processes
    from iacfilter_hpc.runs import records
    from iacfilter_hpc.runs.states import Executor

    jobs = [job for job in records.jobs(run) if job.executor == Executor.LOCAL]
    return [job.job_id for job in jobs if processes.is_alive(run, job)]


def _live_slurm(run: RunLayout) -> list[str]:
    """Ids of the run's Slurm jobs that run.

    One that waits cannot be asked: its batch script begins by removing a request that is there, as
    one to an earlier job.
    """
    from iacfilter_hpc.runs import records
    from iacfilter_hpc.runs.states import Executor, JobState
    from iacfilter_hpc.slurm import queue

    if all(job.executor == Executor.LOCAL for job in records.jobs(run)):
        return []
    found = queue.queued().values()
    return [e.job_id for e in found if e.name == run.name and e.state is JobState.RUNNING]


def _cancel_local(run: RunLayout) -> list[str]:
    from iacfilter_hpc.launch import processes
    from iacfilter_hpc.runs import records
    from iacfilter_hpc.runs.states import Executor

    # is_alive is None for a job of another host, whose processes no signal from here reaches
    live = [
        j for j in records.jobs(run) if j.executor == Executor.LOCAL and processes.is_alive(run, j)
    ]
    for job in live:
        processes.stop(run, job)
    return [job.job_id for job in live]


def _cancel_slurm(run: RunLayout) -> list[str]:
    from iacfilter_hpc.runs import records
    from iacfilter_hpc.runs.states import Executor
    from iacfilter_hpc.slurm import queue

    jobs = records.jobs(run)
    # squeue may be missing where all jobs were local; without any record the job may be Slurm's
    if jobs and all(job.executor == Executor.LOCAL for job in jobs):
        return []
    # by name: also a job that the launcher did not live to note down
    live = [e.job_id for e in queue.queued().values() if e.name == run.name and not e.ended]
    if live:
        for job_id in live:
            # before the signal: without it the worker takes SIGTERM for a preemption
            run.cancelled(job_id).touch()
        try:
            queue.cancel(live, run.name)
        except SlurmError:
            # the jobs train on, and their next preemption is none of ours
            for job_id in live:
                run.cancelled(job_id).unlink(missing_ok=True)
            raise
    return live


if __name__ == "__main__":
    sys.exit(main())
