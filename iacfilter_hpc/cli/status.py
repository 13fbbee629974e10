"""iacfilter-status: every run, whether it waits, runs or has ended."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.runs import layout

TYPE_CHECKING = False  # typing takes 2 ms
if TYPE_CHECKING:
    from iacfilter_hpc.launch.status import RunState, StatusReport

COLUMNS = (
    "RUN",
    "JOB",
    "STATE",
    "REASON",
    "GPUS",
    "ELAPSED",
    "LEFT",
    "STEP",
    "LOSS",
    "F1",
    "WHERE",
)
NUMBERS = ("GPUS", "ELAPSED", "LEFT", "STEP", "LOSS", "F1")
WATCH_S = 15
"""Seconds between two looks, each of them a call of squeue, which the controller has to answer."""
REASON_WIDTH = 48
FAILED, STILL_RUNNING = 1, 8
"""Exit codes of --exit-status, 8 as `gh pr checks` has it.

Source: https://cli.github.com/manual/gh_pr_checks
"""
COLOUR = {"COMPLETED": "32", "RUNNING": "36", "PENDING": "33", "UNKNOWN": "35"}

EPILOG = """\
STEP, LOSS and F1 are training's newest; F1 is of the class TP on the validation data.
exit code with --exit-status: 0 all completed, 1 any failed, 8 any not yet ended
"""


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Request to show runs, none being all; every `watch` seconds, or once."""

    models: Path
    runs: tuple[str, ...]
    watch: int | None
    exit_status: bool
    as_json: bool


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-status", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="only these (default: all)")
    parser.add_argument(
        "--watch",
        nargs="?",
        type=int,
        const=WATCH_S,
        metavar="SECONDS",
        help=f"show it again every SECONDS (default: {WATCH_S})",
    )
    parser.add_argument(
        "--exit-status", action="store_true", help="tell the states by the exit code"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    parser = arguments()
    args = parser.parse_args(argv)
    if args.watch is not None and args.watch < 1:
        parser.error(f"--watch {args.watch}: SECONDS is at least 1")
    if args.watch is not None and args.json:
        parser.error("--watch does not go with --json, which prints one document")
    request = request_of(args)
    return terminal.run(lambda: _show(request))


def request_of(args: argparse.Namespace) -> StatusRequest:
    """The request that the flags make."""
    return StatusRequest(
        models=layout.models_dir(args.models_dir),
        runs=tuple(args.runs),
        watch=args.watch,
        exit_status=args.exit_status,
        as_json=args.json,
    )


def _show(request: StatusRequest) -> int:
    from iacfilter_hpc.launch.status import status_report
    from iacfilter_hpc.runs.tree import all_runs, find_run

    models = request.models
    while True:
        # looked up each time: runs may have been submitted since
        layouts = [find_run(models, name) for name in request.runs] or all_runs(models)
        found = status_report(layouts)
        # a file or a pipe keeps every look, only a screen is cleared
        if request.watch is not None and terminal.is_terminal():
            print("\033[2J\033[H", end="")
        _print(found, models, request.as_json)
        if request.watch is None:
            return _exit_code(found) if request.exit_status else 0
        sys.stdout.flush()
        time.sleep(request.watch)


def _print(found: StatusReport, models: Path, as_json: bool) -> None:
    for problem in dict.fromkeys(found.problems):
        terminal.say(f"warning: {problem}")
    if as_json:
        terminal.print_json({"runs": [_document(state) for state in found.states]})
    elif found.states:
        print(render(found.states))
    else:
        terminal.say(f"no runs under {models}")


def _exit_code(found: StatusReport) -> int:
    # UNKNOWN is no end: the job may be alive
    if any(not state.ended for state in found.states):
        return STILL_RUNNING
    return FAILED if any(not state.completed for state in found.states) else 0


def render(states: Sequence[RunState]) -> str:
    """The table of runs, in the order given."""
    return terminal.table(COLUMNS, [_row(state) for state in states], NUMBERS)


def _row(state: RunState) -> list[str]:
    progress = state.progress
    step = "-" if progress.step is None else f"{progress.step}/{progress.max_steps or '?'}"
    # a message may have several lines, a row has one; --json has all of it
    reason = " ".join(state.reason.split())
    return [
        state.layout.name,
        state.job.job_id if state.job else "-",
        _coloured(state.state),
        _cut(reason) or "-",
        str(state.record.gpus) if state.record else "-",
        state.elapsed or "-",
        state.left or "-",
        step,
        _number(progress.loss),
        _number(progress.f1),
        state.nodes or (f"starts {state.start.replace('T', ' ')}" if state.start else "-"),
    ]


def _cut(text: str) -> str:
    return text if len(text) <= REASON_WIDTH else f"{text[: REASON_WIDTH - 3]}..."


def _coloured(state: str) -> str:
    if not terminal.colours():
        return state
    # red for all others: ends without a result, and states that are rare
    return f"\033[{COLOUR.get(state, '31')}m{state}\033[0m"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _document(state: RunState) -> dict[str, object]:
    record, job = state.record, state.job
    return {
        "run": state.layout.name,
        "approach": state.layout.approach,
        "directory": str(state.layout.directory),
        "job_id": job.job_id if job else None,
        "executor": job.executor if job else None,
        "state": state.state,
        "reason": state.reason or None,
        "elapsed": state.elapsed or None,
        "left": state.left or None,
        "nodes": state.nodes or None,
        "start": state.start or None,
        "created_at": record.created_at if record else None,
        "gpus": record.gpus if record else None,
        "model_name_or_path": record.model_name_or_path if record else None,
        "progress": asdict(state.progress),
    }


if __name__ == "__main__":
    sys.exit(main())
