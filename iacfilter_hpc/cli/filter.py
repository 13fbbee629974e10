"""iacfilter-filter: take the false alarms out of a GLITCH report with a trained model."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import IacfilterError, UsageError, counted
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
alert for every result of a SARIF file, suppressed or not: give it one made with --omit-suppressed,
which is the default in its actions.
The paths in it are relative to DIR, so DIR should be the repository's root.
"""


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-filter", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument(
        "report",
        type=Path,
        nargs="?",
        metavar="REPORT",
        help="GLITCH's CSV, of any of its forms",
    )
    parser.add_argument(
        "--sarif-in",
        type=Path,
        metavar="FILE",
        help="another tool's SARIF in place of REPORT: what is about smells of GLITCH is judged, "
        "the rest passes",
    )
    parser.add_argument(
        "--scripts", type=Path, required=True, metavar="DIR", help="the analysed scripts"
    )
    parser.add_argument(
        "--technology", metavar="NAME", help="of all scripts (default: by each file's extension)"
    )
    parser.add_argument(
        "--path-prefix",
        metavar="PREFIX",
        help="what the report's paths have in place of DIR (default: found)",
    )
    add_judging(parser)
    return parser


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every command that judges a report, and is answered by `judge`."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help="a run's name, its directory, or a copy of its final/",
    )
    _add_threshold(parser.add_mutually_exclusive_group())
    parser.add_argument(
        "--smells",
        type=_smells,
        metavar="NAMES",
        help="a list such as hard_coded_secret,use_of_http: only these are judged and count as "
        "findings, all other rows pass",
    )
    parser.add_argument(
        "--unjudged",
        choices=("keep", "ignore"),
        default="keep",
        help="whether rows that no model could judge count as findings (default: keep); among the "
        "rows they stay in any case",
    )
    _add_outputs(parser)


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
    suppressed = parser.add_mutually_exclusive_group()
    suppressed.add_argument(
        "--omit-suppressed",
        action="store_true",
        help="leave out of --sarif what is judged FP (default where $GITHUB_ACTIONS is true)",
    )
    suppressed.add_argument(
        "--keep-suppressed", action="store_true", help="keep it there, in GitHub's actions too"
    )
    parser.add_argument(
        "--code-quality", type=Path, metavar="FILE", help="the findings for GitLab, as JSON"
    )
    parser.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="counts and findings as Markdown, for a job's page",
    )
    parser.add_argument(
        "--fail-on-findings",
        action="store_true",
        help="exit code 1 if there are findings, 2 after any error",
    )


def request_of(args: argparse.Namespace) -> FilterRequest:
    """The request that the flags make."""
    from iacfilter_hpc.filtering.findings import Unjudged
    from iacfilter_hpc.filtering.report import FilterRequest

    return FilterRequest(
        # one of the two: _chosen_report has seen to it
        report=args.report or args.sarif_in,
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
        omit_suppressed=args.omit_suppressed or is_omitted_unasked(args),
        fail_on_findings=args.fail_on_findings,
        as_json=args.json,
        smells=_selected(args.smells),
        unjudged=Unjudged(args.unjudged),
        code_quality=args.code_quality,
        summary=args.summary,
    )


def is_omitted_unasked(args: argparse.Namespace) -> bool:
    """Whether a log for GitHub leaves out what is judged FP: it opens an alert for each result."""
    asked = args.omit_suppressed or args.keep_suppressed
    return bool(args.sarif) and not asked and os.environ.get("GITHUB_ACTIONS") == "true"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    parser = arguments()
    args = parser.parse_args(argv)
    if (args.report is None) == (args.sarif_in is None):
        parser.error("give either REPORT or --sarif-in FILE")
    return run_judging(args, lambda: _filter(request_of(args), args.sarif_in))


def run_judging(args: argparse.Namespace, command: Callable[[], int]) -> int:
    """Run a command that judges a report, and return its exit code."""
    if is_omitted_unasked(args):
        terminal.say(
            "GITHUB_ACTIONS is true, so --sarif leaves out what is judged FP: --keep-suppressed "
            "writes it"
        )
    # around run(), which makes exit code 130 of the interrupt that a signal is turned into
    with _ended_by_signals():
        # to a build that is to end at findings, an error must not look like one
        return terminal.run(command, failure=2 if args.fail_on_findings else None)


def _filter(request: FilterRequest, sarif: Path | None) -> int:
    if sarif is None:
        return judge(request, Heading())
    from iacfilter_hpc.scanning.sarif_in import report_of_sarif

    with report_of_sarif(sarif) as made:
        told = counted(made.rows, "finding")
        lines = [f"{sarif}: {told}, {made.known} of smells that GLITCH knows"]
        if made.closed:
            lines.append(f"  left out   {made.closed} suppressed, passed or absent")
        fields = {"findings": made.rows, "known": made.known, "left_out": made.closed}
        heading = Heading(tuple(lines), {"sarif_in": {"file": str(sarif), **fields}})
        return judge(replace(request, report=made.report, made_from=sarif), heading)


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading of an answer: where the report came from, as lines, as fields, and as warnings."""

    lines: tuple[str, ...] = ()
    fields: dict[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def judge(request: FilterRequest, heading: Heading) -> int:
    """Filter a report, tell what came of it, and return the exit code."""
    from iacfilter_hpc.filtering.report import filter_report

    done = filter_report(request, lambda: _open_stdout(request), _progress)
    warned = [*heading.warnings, *warnings(done)]
    for warning in warned:
        terminal.say(f"warning: {warning}")
    if request.as_json:
        terminal.print_json({**document(done), **heading.fields, "warnings": warned})
    else:
        # to stderr: the rows may be on stdout
        terminal.say("\n".join([*heading.lines, render(done)]))
    if request.fail_on_findings and done.findings:
        said = counted(done.findings, "row is", "rows are")
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
    # of a report that was made here it is known
    if not total.rows and not done.request.made_from:
        found.append(f"{done.report.path} reports nothing: is it all that GLITCH wrote?")
    if odd := done.scripts.latin1:
        read = counted(len(odd), "script is not UTF-8, and was", "scripts are not UTF-8, and were")
        found.append(f"{read} read as Latin-1: {some(odd)}")
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


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(ascii(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def document(done: Filtered) -> dict[str, object]:
    """The JSON document of a filtered report."""
    total, log = done.tally.total(), done.log
    return {
        "report": str(done.request.shown),
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
        "findings": done.findings,
        "by_smell": {smell: asdict(counts) for smell, counts in done.tally.by_smell().items()},
        "unjudged": done.tally.reasons(),
        "outputs": {
            "rows": _text(done.request.output),
            "sarif": _text(done.request.sarif),
            "sarif_results": None if log is None else log.results,
            "sarif_suppressed": None if log is None else log.suppressed,
            "code_quality": _text(done.request.code_quality),
            "summary": _text(done.request.summary),
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
        f"{done.request.shown}: {counted(total.rows, 'row')} of form {done.report.format}, {below}",
        f"  model      {done.model.name} ({done.model.final})",
        f"  threshold  p(TP) >= {done.threshold.value:.4f}, {done.threshold.origin}",
        f"  kept       {total.kept}: {total.tp} judged TP, {total.unjudged} not judged",
        f"  {'marked FP ' if done.request.annotate else 'removed   '} {total.fp}",
        *_counted_findings(done),
        *(f"  written    {written}" for written in _written(done)),
        f"  speed      {done.rows_a_second:.0f} rows a second, {done.seconds:.1f} s",
        "",
        _by_smell(done.tally),
    ]
    if reasons := done.tally.reasons():
        rows = [[str(count), terminal.plain(reason)] for reason, count in reasons.items()]
        lines += ["", terminal.table(["rows", "not judged because"], rows, ["rows"])]
    return "\n".join(lines)


def _counted_findings(done: Filtered) -> Iterator[str]:
    """How many rows count, where that is not all that are kept."""
    request = done.request
    if request.smells is not None or request.unjudged == "ignore":
        of = f" of {', '.join(sorted(request.smells))}" if request.smells else ""
        judged = " and were judged" if request.unjudged == "ignore" else ""
        yield f"  findings   {done.findings}: the rows{of} that are kept{judged}"


def _written(done: Filtered) -> list[str]:
    request = done.request
    written = [] if request.output is None else [str(request.output)]
    if log := done.log:
        note = f", {log.suppressed} of them suppressed" if log.suppressed else ""
        written.append(f"{request.sarif}: {counted(log.results, 'result')}{note}")
    return [*written, *(str(path) for path in (request.code_quality, request.summary) if path)]


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
            # `| head` is no error, unless a file or an exit code is to speak of all rows
            if not (request.outputs or request.fail_on_findings):
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


def _smells(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _selected(words: list[str] | None) -> frozenset[str] | None:
    import difflib

    from iacfilter_hpc.filtering.findings import known_smells
    from iacfilter_hpc.samples.smells import NAMES

    if words is None:
        return None
    smells, unknown = known_smells(words)
    if unknown:
        said = ", ".join(ascii(word) for word in unknown)
        near = difflib.get_close_matches(unknown[0], NAMES, n=1)
        raise UsageError(
            f"--smells: {said} is no smell that GLITCH reports",
            hint=f"did you mean {near[0]}?" if near else f"known are {', '.join(NAMES)}",
        )
    return smells


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
