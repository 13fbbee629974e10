"""iacfilter-cancel: end the jobs of runs; what they have written stays."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.cli import terminal
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
    from iacfilter_hpc.launch.cancellation import cancel
    from iacfilter_hpc.runs.tree import find_run

    # all of them first: after a name that is none, nothing has been cancelled
    layouts = [find_run(request.models, name) for name in request.runs]
    if request.drain:
        return _drain(layouts, request.as_json)
    cancelled = {run.name: cancel(run) for run in layouts}
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
    from iacfilter_hpc.launch.cancellation import running_jobs
    from iacfilter_hpc.runs.drain_request import ask

    # all of them first: if Slurm cannot be asked, no run has been asked either
    asked = {run.name: running_jobs(run) for run in layouts}
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


if __name__ == "__main__":
    sys.exit(main())
