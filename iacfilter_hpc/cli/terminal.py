"""Terminal: error text, exit codes, JSON documents and tables, which all commands share."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from iacfilter_hpc import __version__
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.runs.layout import MODELS_VARIABLE

STDOUT, STDERR = 1, 2
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells have it."""
SCHEMA = 1
"""Version of the JSON documents of all commands."""
PLAIN_WIDTH = 60


@contextmanager
def talk_on_stderr() -> Iterator[None]:
    """Redirect to stderr what is written to stdout's file descriptor inside the block.

    DeepSpeed logs to stdout as soon as it is imported, and compiled code knows nothing of
    sys.stdout: only the descriptor holds all of them.
    """
    # what was printed before belongs to the answer
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        yield
    finally:
        # what stands in a buffer still belongs to the work
        sys.stdout.flush()
        os.dup2(kept, STDOUT)
        os.close(kept)


def parser(
    program: str, description: str, *, epilog: str | None = None, models_dir: bool = True
) -> argparse.ArgumentParser:
    """A parser with the flags that every command has; without --models-dir for one without runs."""
    made = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=epilog,
        # the examples of an epilog keep their lines
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # else --exit means --exit-status until another flag begins alike, and scripts break
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"{program} {__version__}")
    if models_dir:
        made.add_argument(
            "--models-dir",
            type=Path,
            metavar="DIR",
            help=f"the tree of runs (default: ${MODELS_VARIABLE}, else ./models)",
        )
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return made


def run(command: Callable[[], int], *, failure: int | None = None) -> int:
    """Run a command and return its exit code; its errors become `error:` and `hint:` on stderr.

    `failure` is the exit code of every error, None: each kind's own. With $IACFILTER_TRACEBACK set
    errors are raised instead. Other exceptions are faults in the code, and always are: a report of
    one needs the traceback.
    """
    _take_any_name()
    try:
        with _faults_end_with(failure):
            code = command()
        # here, where a full disk or a closed pipe is still an error like others, and not at exit
        sys.stdout.flush()
        return code
    except IacfilterError as error:
        if os.environ.get("IACFILTER_TRACEBACK"):
            raise
        say(error.text())
        return failure or error.exit_code
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader (head, less) has seen enough; Python must not flush into the closed pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # a build that is to end at findings knows of none, so 0 would be a clean bill
        return failure or 0
    except OSError as error:
        # a full disk, a directory that this user may not search: the system's own words
        if os.environ.get("IACFILTER_TRACEBACK"):
            raise
        say(f"error: {error.filename or 'the system'}: {error.strerror or error}")
        return failure or IacfilterError.exit_code


@contextmanager
def _faults_end_with(failure: int | None) -> Iterator[None]:
    """A fault in the code ends with its traceback and this exit code, not with Python's own 1."""
    handled = (IacfilterError, OSError, KeyboardInterrupt, SystemExit)
    try:
        yield
    except BaseException as fault:
        if failure is None or isinstance(fault, handled):
            raise
        import traceback

        traceback.print_exception(fault)
        raise SystemExit(failure) from fault


def _take_any_name() -> None:
    """Show as \\xNN what a terminal's encoding lacks: a file may have any name."""
    # what may stand in for them, such as the StringIO of redirect_stdout, has no encoding
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print talk, such as progress and warnings, to stderr: stdout is for the answer alone."""
    print(text, file=sys.stderr, flush=True)


def print_json(document: dict[str, object]) -> None:
    """Print the one JSON document of an answer."""
    # NaN and Infinity are Python's, not JSON's: other readers stop at them
    print(json.dumps({"schema": SCHEMA, **document}, indent=2, allow_nan=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> str:
    """A table of aligned columns without borders; those in `numbers` are aligned to the right."""
    # only here: 18 ms that --help need not spend
    from iacfilter_hpc.trained_model.tables import aligned_table

    return aligned_table(columns, rows, numbers)


def plain(text: str) -> str:
    """Text of a file as a terminal can take it, cut to one line of PLAIN_WIDTH characters."""
    # reports and scripts may be anybody's: a name in them must not move the cursor or hide a line
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= PLAIN_WIDTH else f"{shown[: PLAIN_WIDTH - 3]}..."


def is_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout.isatty()


def colours() -> bool:
    """Whether stdout takes colours. Source: https://no-color.org"""
    return is_terminal() and not os.environ.get("NO_COLOR")
