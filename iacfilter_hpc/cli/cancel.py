"""iacfilter-cancel: end the jobs of runs; what they have written stays."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from iacfilter_hpc import layout, processes, runs
from iacfilter_hpc.cli import terminal
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.slurm import queue


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-cancel", __doc__.partition(": ")[2].strip())
    made.add_argument("runs", nargs="+", metavar="RUN")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    models = layout.models_dir(given.models_dir)
    return terminal.run(lambda: _cancel(given, models))


def _cancel(given: argparse.Namespace, models: Path) -> int:
    layouts = [runs.find(models, name) for name in given.runs]
    cancelled = {run.name: [*_cancel_local(run), *_cancel_slurm(run)] for run in layouts}
    if given.json:
        terminal.print_json({"cancelled": cancelled})
        return 0
    for name, job_ids in cancelled.items():
        for job_id in job_ids:
            print(f"Cancelled {job_id}: {name}")
        if not job_ids:
            terminal.say(f"{name} has no live job")
    return 0


def _cancel_local(run: RunLayout) -> list[str]:
    live = [j for j in runs.jobs(run) if j.executor == "local" and processes.is_alive(run, j)]
    for job in live:
        processes.stop(job)
    return [job.job_id for job in live]


def _cancel_slurm(run: RunLayout) -> list[str]:
    jobs = runs.jobs(run)
    if jobs and all(job.executor == "local" for job in jobs):
        return []
    # by name: also a job that the launcher did not live to note down
    live = [e.job_id for e in queue.queued().values() if e.name == run.name and not e.ended]
    if live:
        queue.cancel(live, run.name)
    return live


if __name__ == "__main__":
    sys.exit(main())
