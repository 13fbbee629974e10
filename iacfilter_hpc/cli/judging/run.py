"""Run of a command that judges a report: signals, standard output, progress, the exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.judging.answer import document, render, warnings
from iacfilter_hpc.cli.judging.flags import is_omitted_unasked
from iacfilter_hpc.errors import IacfilterError, counted

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.outputs import Write
    from iacfilter_hpc.filtering.request import FilterRequest
    from iacfilter_hpc.glitch.report import GlitchReport


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
            if not (request.every_output or request.fail_on_findings):
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
