"""iacfilter-evaluate: score a finished run on labelled samples."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.evaluate_flags import add_flags, from_flags
from iacfilter_hpc.cli.terminal import talk_on_stderr
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs import layout

if TYPE_CHECKING:
    from iacfilter_hpc.launch.submission import AskedExecutor
    from iacfilter_hpc.trained_model.find import Trained

EPILOG = """\
examples:
  iacfilter-evaluate RUN --data oracle.jsonl            here, in this process
  iacfilter-evaluate RUN --data oracle.jsonl --submit   as a job on one GPU
  iacfilter-evaluate ~/copied/final --data oracle.jsonl -o results

Below the run's evaluation/: predictions.jsonl has each sample, metrics.json each score, and
looks.jsonl has a line for each time that this command looked at a file.
"""


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """Request to score a run on labelled samples; `submit` means as a job of `executor`."""

    models: Path
    run: str
    data: Path
    options: EvaluateOptions
    submit: bool
    executor: AskedExecutor
    as_json: bool


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser(
        "iacfilter-evaluate", __doc__.partition(": ")[2].strip(), epilog=EPILOG
    )
    parser.add_argument(
        "run", metavar="RUN", help="its name, its directory, or a copy of its final/"
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="JSONL",
        help="labelled samples, ten fields each",
    )
    add_flags(parser)
    parser.add_argument(
        "--submit", action="store_true", help="as a job on one GPU; its log shows the result"
    )
    parser.add_argument(
        "--executor",
        choices=("auto", "slurm", "local"),
        default="auto",
        help="of --submit; auto: Slurm where sbatch is on PATH, else this machine",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    args = arguments().parse_args(argv)
    return terminal.run(lambda: _evaluate(request_of(args)))


def request_of(args: argparse.Namespace) -> EvaluateRequest:
    """The request that the flags make.

    Raises:
        UsageError: a file that is none, or flags that make no sense together.
    """
    # here, where a path still is what the person has written
    for flag, path in (("--data", args.data), ("--groups", args.groups)):
        if path is not None and not layout.absolute(path).is_file():
            raise UsageError(f"{flag} {path} is not a file")
    return EvaluateRequest(
        models=layout.models_dir(args.models_dir),
        run=args.run,
        data=layout.absolute(args.data),
        options=from_flags(args),
        submit=args.submit,
        executor=args.executor,
        as_json=args.json,
    )


def _evaluate(request: EvaluateRequest) -> int:
    from iacfilter_hpc.trained_model.find import find_trained

    model = find_trained(request.models, request.run)
    return (_submit if request.submit else _here)(request, model)


def _here(request: EvaluateRequest, model: Trained) -> int:
    from iacfilter_hpc.config.extras import check_training_is_installed
    from iacfilter_hpc.evaluation.admission import check_data
    from iacfilter_hpc.evaluation.results import results_directory

    data, options = request.data, request.options
    check_training_is_installed()
    # for its error alone: a place that nobody has named is said before anything is scored
    results_directory(model, options)
    check_data(model, data, options)
    with talk_on_stderr():
        # only now: torch takes seconds to import
        from iacfilter_hpc.evaluation.evaluate import evaluate
        from iacfilter_hpc.evaluation.results import document
        from iacfilter_hpc.evaluation.text import render

        # each fold is a training of its own: minutes in which nothing else is said
        if options.cross_fit is not None:
            _show_progress()
        done = evaluate(model, data, options)
    if request.as_json:
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


def _submit(request: EvaluateRequest, model: Trained) -> int:
    from iacfilter_hpc.config import resolve
    from iacfilter_hpc.config.schema import read_config
    from iacfilter_hpc.evaluation.admission import check_data
    from iacfilter_hpc.launch import submission

    if model.run is None:
        raise UsageError(
            f"--submit needs a run, and {model.final} lies in none",
            hint="leave --submit out to evaluate it here",
        )
    run, data, options = model.run, request.data, request.options
    # a login node may lack the train extra: the data are checked all the same, the folds by the job
    can_split = find_spec("sklearn") is not None
    check_data(model, data, options, folds=can_split)
    if options.cross_fit is not None and not can_split:
        terminal.say("note: scikit-learn is not installed here, so the job checks the folds")
    executor = submission.choose_executor(request.executor)
    submitted = submission.submit_evaluation(
        run, read_config(run), data, options, resolve.site_settings(), executor
    )
    if request.as_json:
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
