"""Evaluation flags: those of evaluate and compare, and of the job that evaluates, as options."""

from __future__ import annotations

import argparse
from pathlib import Path

from iacfilter_hpc.config.evaluate_options import (
    DEFAULTS,
    FEWEST_DRAWS,
    MODES,
    SEED,
    EvaluateOptions,
    Threshold,
)
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs.layout import absolute


def add_flags(
    parser: argparse.ArgumentParser,
    output: str = "write below DIR in place of the run's evaluation/",
    seed: str = f"of the bootstrap, and of --cross-fit (default: {SEED})",
) -> None:
    """The flags that `from_flags` reads; `output` and `seed` say what -o and --seed do."""
    parser.add_argument(
        "--threshold",
        type=_threshold,
        default=DEFAULTS.threshold,
        metavar="MODE",
        help="from which p(TP) a detection counts as TP: validation (the run's own, chosen on its "
        "validation data), argmax (0.5) or a number between 0 and 1 (default: validation)",
    )
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="CSV",
        help="columns file and repo or family: what the bootstrap keeps together "
        "(default: the samples' own family, else repo, else file)",
    )
    parser.add_argument(
        "--draws",
        type=_draws,
        default=DEFAULTS.draws,
        metavar="N",
        help=f"of the bootstrap behind the 95 %% intervals (default: {DEFAULTS.draws})",
    )
    parser.add_argument(
        "--seed",
        type=_seed,
        metavar="N",
        help=seed,
    )
    parser.add_argument(
        "--cross-fit",
        type=_folds,
        metavar="FOLDS",
        help="fine-tune the run on all folds of the data but one and report on that one, each in "
        "turn; folds keep groups whole, and inner folds choose epochs and threshold",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help=output,
    )


def from_flags(args: argparse.Namespace) -> EvaluateOptions:
    """What was asked for, with paths that hold in any working directory.

    Raises:
        UsageError: a threshold is given although inner folds choose it.
    """
    # --threshold validation passes: data to choose by is what inner folds are
    if args.cross_fit is not None and args.threshold != DEFAULTS.threshold:
        raise UsageError(
            f"--threshold {args.threshold} with --cross-fit: inner folds choose the threshold",
            hint="leave --threshold out",
        )
    return EvaluateOptions(
        threshold=args.threshold,
        groups=None if args.groups is None else absolute(args.groups),
        draws=args.draws,
        seed=args.seed,
        output=None if args.output is None else absolute(args.output),
        cross_fit=args.cross_fit,
    )


def _threshold(text: str) -> Threshold:
    for mode in MODES:
        if text == mode:
            return mode
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    # nan is in no range, so that it needs no test of its own
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither validation nor argmax nor a number between 0 and 1"
        )
    return value


def _draws(text: str) -> int:
    return _whole(text, FEWEST_DRAWS)


def _folds(text: str) -> int:
    return _whole(text, 2)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    # before int(), which takes 1_000, blanks and the digits of any script
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return int(text)
