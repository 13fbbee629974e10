"""iacfilter-evaluate: score a finished run on labelled samples."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from iacfilter_hpc import layout, runs
from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import IacfilterError, UsageError
from iacfilter_hpc.layout import RunLayout

EPILOG = """\
examples:
  iacfilter-evaluate RUN --data oracle.jsonl            here, in this process
  iacfilter-evaluate RUN --data oracle.jsonl --submit   as a job on one GPU
"""


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-evaluate", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    made.add_argument("run", metavar="RUN")
    made.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="JSONL",
        help="labelled samples, ten fields each",
    )
    made.add_argument(
        "--submit", action="store_true", help="as a job on one GPU; its log shows the result"
    )
    made.add_argument(
        "--executor",
        choices=("auto", "slurm", "local"),
        default="auto",
        help="of --submit; auto: Slurm where sbatch is on PATH, else this machine",
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    models = layout.models_dir(given.models_dir)
    return terminal.run(lambda: _evaluate(given, models))


def _evaluate(given: argparse.Namespace, models: Path) -> int:
    run = runs.find(models, given.run)
    data = layout.absolute(given.data)
    if not data.is_file():
        raise UsageError(f"--data {given.data} is not a file")
    if not run.final.is_dir():
        raise IacfilterError(
            f"{run.name} has no trained model: {run.final} is missing",
            hint=f"iacfilter-status {run.name} tells how far it is",
        )
    return _submit(given, run, data) if given.submit else _here(given, run, data)


def _here(given: argparse.Namespace, run: RunLayout, data: Path) -> int:
    from iacfilter_hpc.launch import check_training_is_installed

    check_training_is_installed()
    # only now: torch takes seconds to import
    from iacfilter_hpc.evaluation.report import document, evaluate, render

    done = evaluate(run, data)
    if given.json:
        terminal.print_json(document(done))
    else:
        print(render(done))
    return 0


def _submit(given: argparse.Namespace, run: RunLayout, data: Path) -> int:
    from iacfilter_hpc import launch, resolve
    from iacfilter_hpc.config import load_config
    from iacfilter_hpc.detections.samples import read_samples

    read_samples(data)
    executor = launch.choose_executor(given.executor)
    submitted = launch.submit_evaluation(
        run, load_config(run), data, resolve.site_settings(), executor
    )
    if given.json:
        terminal.print_json(
            {"run": run.name, "job_id": submitted.job_id, "log": str(submitted.log)}
        )
    else:
        print(f"Submitted job {submitted.job_id}: evaluation of {run.name}")
        print(f"  log     {submitted.log}")
        print(f"Next: iacfilter-status {run.name} | iacfilter-logs {submitted.job_id} -f")
    return 0


if __name__ == "__main__":
    sys.exit(main())
