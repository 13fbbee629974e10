"""iacfilter-evaluate: score a finished run on labelled samples."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.terminal import talk_on_stderr
from iacfilter_hpc.config.evaluate_options import EvaluateOptions, add_flags, from_flags
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs import layout

if TYPE_CHECKING:
    from iacfilter_hpc.trained_model.find import Trained

EPILOG = """\
examples:
  iacfilter-evaluate RUN --data oracle.jsonl            here, in this process
  iacfilter-evaluate RUN --data oracle.jsonl --submit   as a job on one GPU
  iacfilter-evaluate ~/copied/final --data oracle.jsonl -o results

Below the run's evaluation/: predictions.jsonl has each sample, metrics.json each score, and
looks.jsonl has a line for each time that this command looked at a file.
"""


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-evaluate", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    made.add_argument("run", metavar="RUN", help="its name, its directory, or a copy of its final/")
    made.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="JSONL",
        help="labelled samples, ten fields each",
    )
    add_flags(made)
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
    from iacfilter_hpc.trained_model.find import find_trained

    for flag, path in (("--data", given.data), ("--groups", given.groups)):
        if path is not None and not layout.absolute(path).is_file():
            raise UsageError(f"{flag} {path} is not a file")
    data, model = layout.absolute(given.data), find_trained(models, given.run)
    return (_submit if given.submit else _here)(given, model, data, from_flags(given))


def _here(given: argparse.Namespace, model: Trained, data: Path, options: EvaluateOptions) -> int:
    from iacfilter_hpc.evaluation.admission import check_data
    from iacfilter_hpc.evaluation.results import results_directory
    from iacfilter_hpc.launch.submission import check_training_is_installed

    check_training_is_installed()
    results_directory(model, options)
    check_data(model, data, options)
    with talk_on_stderr():
        # only now: torch takes seconds to import
        from iacfilter_hpc.evaluation.evaluate import evaluate
        from iacfilter_hpc.evaluation.results import document
        from iacfilter_hpc.evaluation.text import render

        if options.cross_fit is not None:
            _show_progress()
        done = evaluate(model, data, options)
    if given.json:
        for warning in done.warnings:
            terminal.say(f"warning: {warning}")
        terminal.print_json(document(done))
    else:
        print(render(done))
    return 0


def _show_progress() -> None:
    """Let our own log, a line a fold, reach stderr."""
    log = logging.getLogger("iacfilter_hpc")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)


def _submit(given: argparse.Namespace, model: Trained, data: Path, options: EvaluateOptions) -> int:
    from iacfilter_hpc.config import resolve
    from iacfilter_hpc.config.schema import load_config
    from iacfilter_hpc.evaluation.admission import check_data
    from iacfilter_hpc.launch import submission

    if model.run is None:
        raise UsageError(
            f"--submit needs a run, and {model.final} lies in none", hint="evaluate it here"
        )
    run = model.run
    can_split = find_spec("sklearn") is not None
    check_data(model, data, options, folds=can_split)
    if options.cross_fit is not None and not can_split:
        terminal.say("note: scikit-learn is not installed here, so the job checks the folds")
    executor = submission.choose_executor(given.executor)
    submitted = submission.submit_evaluation(
        run, load_config(run), data, options, resolve.site_settings(), executor
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
