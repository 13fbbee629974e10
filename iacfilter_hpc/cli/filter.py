"""iacfilter-filter: take the false alarms out of a GLITCH report with a trained model."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from iacfilter_hpc import layout
from iacfilter_hpc.cli import terminal

EPILOG = """\
examples:
  iacfilter-filter --model RUN glitch.csv --scripts DIR -o filtered.csv
  iacfilter-filter --model ~/copied/final glitch.csv --scripts . -o filtered.csv --sarif out.sarif
  iacfilter-filter --model RUN glitch.csv --scripts DIR --min-recall 0.95 --annotate -o all.csv

What -o and --sarif name appears whole or not at all. Standard output cannot promise that: after an
error, what stands behind > is the beginning of the rows.
GLITCH's rows come back as they were, each followed by DECISION,P_TP: `TP,0.973124`, and for what
cannot be judged `UNJUDGED: file is missing,`. Such rows are kept. GitHub code scanning opens an
alert for every result of a SARIF file, suppressed or not: give it one made with --omit-suppressed.
The paths in it are relative to DIR, so DIR should be the repository's root.
"""


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-filter", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    made.add_argument(
        "report", type=Path, metavar="REPORT", help="GLITCH's CSV, of any of its forms"
    )
    made.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help="a run's name, its directory, or a copy of its final/",
    )
    made.add_argument(
        "--scripts", type=Path, required=True, metavar="DIR", help="the analysed scripts"
    )
    _add_threshold(made.add_mutually_exclusive_group())
    made.add_argument(
        "--technology", metavar="NAME", help="of all scripts (default: by each file's extension)"
    )
    made.add_argument(
        "--path-prefix",
        metavar="PREFIX",
        help="what the report's paths have in place of DIR (default: found)",
    )
    _add_outputs(made)
    return made


def _add_threshold(made: argparse._MutuallyExclusiveGroup) -> None:
    made.add_argument(
        "--threshold",
        type=_threshold,
        metavar="T",
        help="keep what has p(TP) >= T (default: the model's own, chosen on its validation data)",
    )
    made.add_argument(
        "--min-recall",
        type=_recall,
        metavar="R",
        help="the highest threshold that keeps this share of the real ones in the model's "
        "validation data, such as 0.95",
    )


def _add_outputs(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "-o", "--output", type=Path, metavar="CSV", help="the rows (default: standard output)"
    )
    made.add_argument(
        "--annotate", action="store_true", help="write the rows judged FP too, marked as such"
    )
    made.add_argument(
        "--bare", action="store_true", help="write rows without the columns DECISION and P_TP"
    )
    made.add_argument(
        "--sarif",
        type=Path,
        metavar="FILE",
        help="SARIF 2.1.0: everything reported, what is judged FP as suppressed",
    )
    made.add_argument(
        "--omit-suppressed", action="store_true", help="leave out of --sarif what is judged FP"
    )
    made.add_argument(
        "--fail-on-findings", action="store_true", help="exit code 1 if any row is kept"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    models = layout.models_dir(given.models_dir)
    with _ended_by_signals():
        return terminal.run(lambda: _filter(given, models))


def _filter(given: argparse.Namespace, models: Path) -> int:
    from iacfilter_hpc.cli.filter_run import run

    return run(given, models)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the command as Ctrl-C does: nothing half-written stays."""
    ending = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) == signal.SIG_DFL]
    before = [signal.signal(s, _interrupt) for s in ending]
    try:
        yield
    finally:
        for each, handler in zip(ending, before, strict=True):
            signal.signal(each, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _threshold(text: str) -> float:
    return _number(text, "a number between 0 and 1", lambda value: 0 < value < 1)


def _recall(text: str) -> float:
    return _number(text, "a share above 0 and up to 1", lambda value: 0 < value <= 1)


def _number(text: str, wanted: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not fits(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


if __name__ == "__main__":
    sys.exit(main())
