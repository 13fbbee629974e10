"""iacfilter-calibrate: fit a model's p(TP) and threshold to labels of people, in seconds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.terminal import talk_on_stderr
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs import layout

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.calibration.calibrate import Calibrated
    from iacfilter_hpc.trained_model.find import Trained

EPILOG = """\
examples:
  iacfilter-calibrate RUN --data labelled.jsonl
  iacfilter-calibrate RUN-41 RUN-42 RUN-43 --data labelled.jsonl --groups families.csv
  iacfilter-calibrate RUN --remove

Of several runs, which differ in their seed alone, log-odds are averaged; the first is calibrated,
and needs the others where they are now. Inner folds choose between offset and scale and small heads
over log-odds, votes of labelling functions, smell and technology. What is printed is of outer
folds, whose families fitted nothing. iacfilter-data weak-label lists the functions.
"""


@dataclass(frozen=True, slots=True)
class CalibrateRequest:
    """Request to calibrate the first of some runs; `data` None is to take its calibration away."""

    models: Path
    runs: tuple[str, ...]
    data: Path | None
    groups: Path | None
    functions: Path | None
    folds: int
    seed: int
    as_json: bool


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser(
        "iacfilter-calibrate", __doc__.partition(": ")[2].strip(), epilog=EPILOG
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="its name, its directory, or a copy of its final/; more of them are averaged",
    )
    parser.add_argument("--data", type=Path, metavar="JSONL", help="samples labelled by people")
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="CSV",
        help="repositories and families: columns file, repo, family",
    )
    parser.add_argument(
        "--functions", type=Path, metavar="YAML", help="labelling functions of your own"
    )
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="outer (default: 5)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of folds (default: 0)")
    parser.add_argument(
        "--remove", action="store_true", help="take the calibration of RUN away again"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    args = arguments().parse_args(argv)
    return terminal.run(lambda: _calibrate(request_of(args)))


def request_of(args: argparse.Namespace) -> CalibrateRequest:
    """The request that the flags make.

    Raises:
        UsageError: flags that make no sense together, or a file that is none.
    """
    if args.remove == (args.data is not None):
        raise UsageError(
            "--remove and --data exclude each other, and one of them is needed",
            hint="--data JSONL fits a calibration, --remove takes it away",
        )
    if args.remove and len(args.runs) > 1:
        raise UsageError(f"--remove takes one run, not {len(args.runs)}")
    if len(set(args.runs)) < len(args.runs):
        raise UsageError("a run is named twice: its log-odds would count twice")
    # here, where a path still is what the person has written
    for flag, path in (
        ("--data", args.data),
        ("--groups", args.groups),
        ("--functions", args.functions),
    ):
        if path is not None and not layout.absolute(path).is_file():
            raise UsageError(f"{flag} {path} is not a file")
    return CalibrateRequest(
        models=layout.models_dir(args.models_dir),
        runs=tuple(args.runs),
        data=None if args.data is None else layout.absolute(args.data),
        groups=args.groups,
        functions=args.functions,
        folds=args.folds,
        seed=args.seed,
        as_json=args.json,
    )


def _calibrate(request: CalibrateRequest) -> int:
    from iacfilter_hpc.config.extras import check_training_is_installed
    from iacfilter_hpc.trained_model.find import find_trained

    # names first: whether they are right can be said without the packages
    models = [find_trained(request.models, name) for name in request.runs]
    check_training_is_installed()
    return _fit(request, models, request.data) if request.data else _remove(request, models[0])


def _remove(request: CalibrateRequest, model: Trained) -> int:
    from iacfilter_hpc.calibration.calibrate import remove

    had = remove(model)
    if request.as_json:
        terminal.print_json({"run": model.name, "removed": had})
    else:
        print(f"{model.name}: {'calibration removed' if had else 'it had no calibration'}")
    return 0


def _fit(request: CalibrateRequest, models: Sequence[Trained], data: Path) -> int:
    with talk_on_stderr():
        # only now: torch takes seconds to import
        from iacfilter_hpc.calibration.calibrate import CalibrationOptions, calibrate
        from iacfilter_hpc.calibration.text import document, render

        options = CalibrationOptions(
            groups=request.groups,
            functions=request.functions,
            folds=request.folds,
            seed=request.seed,
        )
        done: Calibrated = calibrate(models, data, options)
    for warning in done.warnings:
        terminal.say(f"warning: {warning}")
    if request.as_json:
        terminal.print_json(document(done))
    else:
        print(render(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
