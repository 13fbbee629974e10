"""iacfilter-filter: take the false alarms out of a GLITCH report with a trained model."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import IacfilterError, counted
from iacfilter_hpc.runs import layout

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.report import Filtered, FilterRequest, Write
    from iacfilter_hpc.glitch.decisions import Tally
    from iacfilter_hpc.glitch.report import GlitchReport

SHOWN = 3
"""Names in one warning."""
GITHUB_TAKES = 25_000
"""Results of a run; beyond it an upload is refused. Source: docs.github.com, SARIF support."""

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
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-filter", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument(
        "report", type=Path, metavar="REPORT", help="GLITCH's CSV, of any of its forms"
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help="a run's name, its directory, a copy of its final/, what iacfilter-export has "
        "written, or ORG/NAME@REVISION on the hub",
    )
    parser.add_argument(
        "--scripts", type=Path, required=True, metavar="DIR", help="the analysed scripts"
    )
    _add_threshold(parser.add_mutually_exclusive_group())
    parser.add_argument(
        "--technology", metavar="NAME", help="of all scripts (default: by each file's extension)"
    )
    parser.add_argument(
        "--path-prefix",
        metavar="PREFIX",
        help="what the report's paths have in place of DIR (default: found)",
    )
    _add_outputs(parser)
    return parser


def _add_threshold(group: argparse._MutuallyExclusiveGroup) -> None:
    group.add_argument(
        "--threshold",
        type=_threshold,
        metavar="T",
        help="keep what has p(TP) >= T (default: the model's own, chosen on its validation data)",
    )
    group.add_argument(
        "--min-recall",
        type=_recall,
        metavar="R",
        help="the highest threshold that keeps this share of the real ones in the model's "
        "validation data, such as 0.95",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, metavar="CSV", help="the rows (default: standard output)"
    )
    parser.add_argument(
        "--annotate", action="store_true", help="write the rows judged FP too, marked as such"
    )
    parser.add_argument(
        "--bare", action="store_true", help="write rows without the columns DECISION and P_TP"
    )
    parser.add_argument(
        "--sarif",
        type=Path,
        metavar="FILE",
        help="SARIF 2.1.0: everything reported, what is judged FP as suppressed",
    )
    parser.add_argument(
        "--omit-suppressed", action="store_true", help="leave out of --sarif what is judged FP"
    )
    parser.add_argument(
        "--fail-on-findings", action="store_true", help="exit code 1 if any row is kept"
    )


def request_of(args: argparse.Namespace) -> FilterRequest:
    """The request that the flags make."""
    from iacfilter_hpc.filtering.report import FilterRequest

    return FilterRequest(
        report=args.report,
        scripts=args.scripts,
        models=layout.models_dir(args.models_dir),
        model=args.model,
        threshold=args.threshold,
        min_recall=args.min_recall,
        technology=args.technology,
        prefix=args.path_prefix,
        output=args.output,
        sarif=args.sarif,
        annotate=args.annotate,
        bare=args.bare,
        omit_suppressed=args.omit_suppressed,
        fail_on_findings=args.fail_on_findings,
        as_json=args.json,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    args = arguments().parse_args(argv)
    # around run(), which makes exit code 130 of the interrupt that a signal is turned into
    with _ended_by_signals():
        return terminal.run(lambda: _filter(request_of(args)))


def _filter(request: FilterRequest) -> int:
    from iacfilter_hpc.filtering.report import filter_report

    done = filter_report(request, lambda: _open_stdout(request), _progress)
    for warning in warnings(done):
        terminal.say(f"warning: {warning}")
    if request.as_json:
        terminal.print_json(document(done))
    else:
        # to stderr: the rows may be on stdout
        terminal.say(render(done))
    kept = done.tally.total().kept
    if request.fail_on_findings and kept:
        said = counted(kept, "row is", "rows are")
        terminal.say(f"findings: {said} kept, so --fail-on-findings ends with exit code 1")
        return 1
    return 0


def warnings(done: Filtered) -> list[str]:
    """Warnings: what a person must know before trusting the result."""
    from iacfilter_hpc.glitch.checks import report_warnings, technology_warnings

    total = done.tally.total()
    found = [
        *done.threshold.warnings,
        *technology_warnings(done.request.technology),
        *report_warnings(done.report),
        *_misplaced(done),
    ]
    if not total.rows:
        found.append(f"{done.report.path} reports nothing: is it all that GLITCH wrote?")
    if odd := done.scripts.latin1:
        read = counted(len(odd), "script is not UTF-8, and was", "scripts are not UTF-8, and were")
        found.append(f"{read} read as Latin-1: {_some(odd)}")
    if done.log is not None and done.log.results > GITHUB_TAKES:
        found.append(
            f"{done.request.sarif} has {done.log.results} results; GitHub code scanning takes "
            f"{GITHUB_TAKES}"
        )
    return found


def _misplaced(done: Filtered) -> Iterator[str]:
    """Rows that found no script, or another one: the folder or the prefix may be wrong."""
    from iacfilter_hpc.glitch.reasons import Cause

    rows = done.tally.total().rows
    folder, prefix = done.scripts.folder, done.scripts.prefix or "no prefix"
    # Of all causes those that a wrong --scripts or --path-prefix has: rows are then kept unjudged,
    # and the result looks careful where nothing was filtered.
    for cause, why in (
        (Cause.MISSING, f"their file is missing below {folder}, for paths below {prefix}"),
        (Cause.OUTSIDE, f"their path is not below {prefix}, or leads out of {folder}"),
        (
            Cause.MISMATCH,
            f"the line does not hold what GLITCH reports, in the files of {folder} for paths below "
            f"{prefix}",
        ),
    ):
        if count := done.tally.because(cause):
            yield f"{count} of {rows} rows are kept because {why}: see --scripts and --path-prefix"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(ascii(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def document(done: Filtered) -> dict[str, object]:
    """The JSON document of a filtered report."""
    total, log = done.tally.total(), done.log
    return {
        "report": str(done.report.path),
        "form": done.report.format,
        "prefix": done.scripts.prefix,
        "model": {
            "name": done.model.name,
            "directory": str(done.model.final),
            "approach": done.approach,
        },
        "threshold": {
            "value": done.threshold.value,
            "mode": done.threshold.mode,
            "origin": done.threshold.origin,
        },
        "rows": {"read": total.rows, "kept": total.kept, **asdict(total)},
        "by_smell": {smell: asdict(counts) for smell, counts in done.tally.by_smell().items()},
        "unjudged": done.tally.reasons(),
        "outputs": {
            "rows": _text(done.request.output),
            "sarif": _text(done.request.sarif),
            "sarif_results": None if log is None else log.results,
            "sarif_suppressed": None if log is None else log.suppressed,
        },
        "seconds": round(done.seconds, 3),
        "rows_per_second": round(done.rows_a_second, 1),
        "warnings": warnings(done),
    }


def render(done: Filtered) -> str:
    """The text of a filtered report, for people."""
    total, prefix = done.tally.total(), done.scripts.prefix
    below = f"paths below {terminal.plain(prefix)}" if prefix else "paths as they are"
    lines = [
        f"{done.report.path}: {counted(total.rows, 'row')} of form {done.report.format}, {below}",
        f"  model      {done.model.name} ({done.model.final})",
        f"  threshold  p(TP) >= {done.threshold.value:.4f}, {done.threshold.origin}",
        f"  kept       {total.kept}: {total.tp} judged TP, {total.unjudged} not judged",
        f"  {'marked FP ' if done.request.annotate else 'removed   '} {total.fp}",
        *(f"  written    {written}" for written in _written(done)),
        f"  speed      {done.rows_a_second:.0f} rows a second, {done.seconds:.1f} s",
        "",
        _by_smell(done.tally),
    ]
    if reasons := done.tally.reasons():
        rows = [[str(count), terminal.plain(reason)] for reason, count in reasons.items()]
        lines += ["", terminal.table(["rows", "not judged because"], rows, ["rows"])]
    return "\n".join(lines)


def _written(done: Filtered) -> list[str]:
    written = [] if done.request.output is None else [str(done.request.output)]
    if log := done.log:
        note = f", {log.suppressed} of them suppressed" if log.suppressed else ""
        written.append(f"{done.request.sarif}: {counted(log.results, 'result')}{note}")
    return written


def _by_smell(tally: Tally) -> str:
    from iacfilter_hpc.glitch.decisions import OTHER
    from iacfilter_hpc.samples.smells import title_of

    rows = [
        [name if name == OTHER else title_of(name), *map(str, (c.rows, c.tp, c.fp, c.unjudged))]
        for name, c in tally.by_smell().items()
    ]
    numbers = ["rows", "TP", "FP", "not judged"]
    return terminal.table(["smell", *numbers], rows, numbers)


def _text(path: object) -> str | None:
    return None if path is None else str(path)


def _open_stdout(request: FilterRequest) -> Write:
    """Writer of rows straight to stdout's file descriptor.

    Without a buffer: what cannot be written must not be tried again when Python exits.
    """
    sys.stdout.flush()
    handle = sys.stdout.fileno()

    def write(content: bytes) -> None:
        left = memoryview(content)
        try:
            # write may take less than it is given (POSIX)
            while left:
                left = left[os.write(handle, left) :]
        except BrokenPipeError as error:
            # `| head` is no error, unless a SARIF log or an exit code is to speak of all rows
            if not (request.sarif or request.fail_on_findings):
                raise
            raise IacfilterError(
                "the reader of standard output stopped before the end, so nothing is decided",
                hint="-o writes the rows to a file",
            ) from error
        except OSError as error:
            # os.write names no file, and "No space left on device" alone helps nobody
            error.filename = "standard output"
            raise

    return write


@contextmanager
def _progress(report: GlitchReport) -> Iterator[Callable[[int], object]]:
    """Progress bar on stderr, if that is a terminal; it is told how many rows were just judged."""
    if not sys.stderr.isatty():
        yield lambda rows: None
        return
    from tqdm import tqdm

    # counted by one more reading of the report, whose rows are never all in memory
    with tqdm(total=sum(1 for _ in report.rows()), unit=" rows", leave=False) as bar:
        yield bar.update


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Signal handlers: SIGTERM and SIGHUP end the command as Ctrl-C does, nothing half-written.

    As an exception, which removes temporary files on its way out; a signal's own effect would not.
    """
    # where one is ignored that stays so: nohup ignores SIGHUP, and means it
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
        value = -1.0  # which fits nowhere
    # nan fits nowhere either, as it compares as false
    if not fits(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


if __name__ == "__main__":
    sys.exit(main())
