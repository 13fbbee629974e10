"""iacfilter-logs: the log of a run's newest job."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import IacfilterError, RunNotFound, UsageError
from iacfilter_hpc.runs import layout, records
from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.tree import all_runs, find_run

LINES = 100


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-logs", __doc__.partition(": ")[2].strip())
    made.add_argument(
        "run", nargs="?", metavar="RUN", help="a run or a job id (default: the newest)"
    )
    made.add_argument("-f", "--follow", action="store_true", help="go on as the log grows")
    made.add_argument(
        "-n", "--lines", type=int, default=LINES, metavar="N", help="the last N lines"
    )
    made.add_argument("--node", type=int, default=0, metavar="RANK", help="of this node of the job")
    made.add_argument(
        "--attempt",
        type=int,
        metavar="N",
        help="after N restarts of the job, 0 being its first start (default: the newest)",
    )
    made.add_argument("--out", action="store_true", help="standard output alone")
    made.add_argument("--err", action="store_true", help="standard error alone")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    models = layout.models_dir(given.models_dir)
    return terminal.run(lambda: _logs(given, models))


def _logs(given: argparse.Namespace, models: Path) -> int:
    """Becomes tail, unless --json asks for the files alone."""
    run = find_run(models, given.run) if given.run else _newest(models)
    job_id = _job_id(run, given.run)
    attempt = _attempt(run, job_id, given.attempt)
    files = _files(run, attempt, given)
    if given.json:
        terminal.print_json(
            {
                "run": run.name,
                "job_id": job_id,
                "attempt": attempt,
                "files": [str(file) for file in files],
            }
        )
        return 0
    there = [path for path in files if path.exists()]
    if not there and not given.follow:
        raise IacfilterError(
            f"job {attempt} of {run.name} has not written a log yet",
            hint=f"iacfilter-status {run.name}; iacfilter-logs {run.name} -f waits for it",
        )
    # coreutils' tail also polls on network file systems, where inotify is silent
    tail = shutil.which("tail")
    if tail is None:
        raise IacfilterError("tail is not on PATH", hint=f"the log is {files[0]}")
    follow = ["-F"] if given.follow else []
    sys.stdout.flush()
    os.execv(tail, ["tail", "-n", str(given.lines), *follow, *map(str, there or files)])
    raise AssertionError("execv does not return")


def _files(run: RunLayout, attempt: str, given: argparse.Namespace) -> list[Path]:
    both = given.out == given.err
    wanted = [
        *([run.log(attempt, given.node)] if given.out or both else []),
        *([run.error_log(attempt, given.node)] if given.err or both else []),
    ]
    # while a job waits there is nothing to read; an empty file says no more than none
    filled = [path for path in wanted if path.exists() and path.stat().st_size]
    return wanted if given.follow or not filled else filled


def _attempt(run: RunLayout, job_id: str, asked: int | None) -> str:
    """The name of an attempt of the job: the newest, or the one asked for."""
    known = records.attempts(run, job_id)
    if asked is None:
        return known[-1]
    name = attempt_name(job_id, asked)
    if name not in known:
        raise UsageError(
            f"--attempt {asked}: job {job_id} has been restarted {len(known) - 1} times",
            hint=f"0 to {len(known) - 1}",
        )
    return name


def _newest(models: Path) -> RunLayout:
    found = all_runs(models)
    if not found:
        raise RunNotFound(f"no runs under {models}", hint="iacfilter-submit makes one")
    return found[-1]


def _job_id(run: RunLayout, asked: str | None) -> str:
    known = [job.job_id for job in records.jobs(run)]
    if asked in known:
        return str(asked)
    if not known:
        raise IacfilterError(f"{run.name} has no job", hint=f"iacfilter-status {run.name}")
    return known[-1]


if __name__ == "__main__":
    sys.exit(main())
