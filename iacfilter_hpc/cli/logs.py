"""iacfilter-logs: the log of a run's newest job."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import IacfilterError, RunNotFound, UsageError, counted
from iacfilter_hpc.runs import layout
from iacfilter_hpc.runs.layout import RunLayout, attempt_name

LINES = 100


class Streams(Enum):
    """Logs of a job to show: standard output, standard error, or both."""

    OUT = auto()
    ERR = auto()
    BOTH = auto()


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """Request to show the last `lines` of a log.

    `run` None is the newest run, `attempt` None the newest attempt; `node` is a rank in the job.
    """

    models: Path
    run: str | None
    attempt: int | None
    node: int
    streams: Streams
    lines: int
    follow: bool
    as_json: bool


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-logs", __doc__.partition(": ")[2].strip())
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run or a job id (default: the newest)"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on as the log grows")
    parser.add_argument(
        "-n", "--lines", type=int, default=LINES, metavar="N", help="the last N lines"
    )
    parser.add_argument(
        "--node", type=int, default=0, metavar="RANK", help="of this node of the job"
    )
    parser.add_argument(
        "--attempt",
        type=int,
        metavar="N",
        help="after N restarts of the job, 0 being its first start (default: the newest)",
    )
    parser.add_argument("--out", action="store_true", help="standard output alone")
    parser.add_argument("--err", action="store_true", help="standard error alone")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    request = request_of(arguments().parse_args(argv))
    return terminal.run(lambda: _logs(request))


def request_of(args: argparse.Namespace) -> LogsRequest:
    """The request that the flags make."""
    # neither flag asks for both logs, and so do the two together
    alone = Streams.OUT if args.out else Streams.ERR
    return LogsRequest(
        models=layout.models_dir(args.models_dir),
        run=args.run,
        attempt=args.attempt,
        node=args.node,
        streams=Streams.BOTH if args.out == args.err else alone,
        lines=args.lines,
        follow=args.follow,
        as_json=args.json,
    )


def _logs(request: LogsRequest) -> int:
    """Become tail, unless --json asks for the files alone."""
    from iacfilter_hpc.runs.tree import find_run  # records take a tenth of the time of --help

    run = find_run(request.models, request.run) if request.run else _newest(request.models)
    job_id = _job_id(run, request.run)
    attempt = _attempt(run, job_id, request.attempt)
    files = _files(run, attempt, request)
    if request.as_json:
        terminal.print_json(
            {
                "run": run.name,
                "job_id": job_id,
                "attempt": attempt,
                "files": [str(file) for file in files],
            }
        )
        return 0
    existing = [path for path in files if path.exists()]
    if not existing and not request.follow:
        raise IacfilterError(
            f"job {attempt} of {run.name} has not written a log yet",
            hint=f"iacfilter-status {run.name}; iacfilter-logs {run.name} -f waits for it",
        )
    # coreutils' tail also polls on network file systems, where inotify is silent
    tail = shutil.which("tail")
    if tail is None:
        raise IacfilterError("tail is not on PATH", hint=f"the log is {files[0]}")
    # -F, not -f: it also waits for a file that is not there yet, as while a job is queued
    follow = ["-F"] if request.follow else []
    # exec drops what Python has buffered; from then on Ctrl-C and the exit code are tail's own
    sys.stdout.flush()
    # paths are absolute, so that none can be taken for an option
    os.execv(tail, ["tail", "-n", str(request.lines), *follow, *map(str, existing or files)])
    raise AssertionError("execv does not return")


def _files(run: RunLayout, attempt: str, request: LogsRequest) -> list[Path]:
    wanted = []
    if request.streams is not Streams.ERR:
        wanted.append(run.log(attempt, request.node))
    if request.streams is not Streams.OUT:
        wanted.append(run.error_log(attempt, request.node))
    # while a job waits there is nothing to read; an empty file says no more than none
    filled = [path for path in wanted if path.exists() and path.stat().st_size]
    return wanted if request.follow or not filled else filled


def _attempt(run: RunLayout, job_id: str, asked: int | None) -> str:
    """The name of an attempt of the job: the newest, or the one asked for."""
    from iacfilter_hpc.runs import records

    known = records.attempts(run, job_id)
    if asked is None:
        return known[-1]
    name = attempt_name(job_id, asked)
    if name not in known:
        restarts = len(known) - 1
        raise UsageError(
            f"--attempt {asked}: job {job_id} has been restarted {counted(restarts, 'time')}",
            hint=f"--attempt takes 0 to {restarts}" if restarts else "it has only --attempt 0",
        )
    return name


def _newest(models: Path) -> RunLayout:
    from iacfilter_hpc.runs.tree import all_runs

    found = all_runs(models)
    if not found:
        raise RunNotFound(f"no runs under {models}", hint="iacfilter-submit makes one")
    return found[-1]


def _job_id(run: RunLayout, asked: str | None) -> str:
    """The job that is asked for by its id, in place of a run's name; else the newest."""
    from iacfilter_hpc.runs import records

    known = [job.job_id for job in records.jobs(run)]
    if asked in known:
        return str(asked)
    if not known:
        raise IacfilterError(f"{run.name} has no job", hint=f"iacfilter-status {run.name}")
    return known[-1]


if __name__ == "__main__":
    sys.exit(main())
