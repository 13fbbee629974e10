"""iacfilter-scan: run GLITCH on a folder and take the false alarms out of what it reports."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.judging.answer import some
from iacfilter_hpc.cli.judging.flags import add_judging
from iacfilter_hpc.cli.judging.flags import request_of as filter_request_of
from iacfilter_hpc.cli.judging.run import Heading, judge, run_judging
from iacfilter_hpc.errors import counted

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.request import FilterRequest
    from iacfilter_hpc.scanning.scan import Scanned, ScanRequest

EPILOG = """\
examples:
  iacfilter-scan . --model RUN -o kept.csv --sarif kept.sarif
  iacfilter-scan . --model ~/copied/final --changed-since origin/main --fail-on-findings

GLITCH is a program of its own: the one on PATH, else `python -m glitch`, else --glitch PATH. It is
run once for each technology that DIR has scripts of, on copies in a temporary directory: nothing is
written in DIR that no flag names. Its rows are then filtered as by iacfilter-filter, with paths
relative to DIR.
"""


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-scan", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument(
        "scripts", type=Path, metavar="DIR", help="the scripts, best the repository's root"
    )
    parser.add_argument(
        "--glitch", type=Path, metavar="PATH", help="the program, where it is not found by itself"
    )
    parser.add_argument(
        "--changed-since",
        metavar="REF",
        help="only scripts that differ from this revision of git, such as origin/main, or are new",
    )
    parser.add_argument(
        "--no-untracked", action="store_true", help="of these, none that git does not track yet"
    )
    parser.add_argument(
        "--keep-report", type=Path, metavar="FILE", help="GLITCH's rows, before they are filtered"
    )
    # of what iacfilter-filter asks, a scan knows this itself
    parser.set_defaults(report=None, sarif_in=None, technology=None, path_prefix="")
    add_judging(parser)
    return parser


def request_of(args: argparse.Namespace) -> ScanRequest:
    """The request that the flags of scanning make."""
    from iacfilter_hpc.scanning.scan import ScanRequest

    return ScanRequest(
        folder=args.scripts,
        glitch=args.glitch,
        changed_since=args.changed_since,
        untracked=not args.no_untracked,
        keep_report=args.keep_report,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    args = arguments().parse_args(argv)
    return run_judging(args, lambda: _scan(request_of(args), _judging(args)))


def _judging(args: argparse.Namespace) -> FilterRequest:
    """The request to filter what the scan will report."""
    # the report is made later: until then the folder stands for it
    args.report = args.scripts
    return replace(filter_request_of(args), made_from=args.scripts)


def _scan(request: ScanRequest, judging: FilterRequest) -> int:
    from iacfilter_hpc.filtering.report import check_before_report
    from iacfilter_hpc.scanning.scan import check_scan, scanned

    check_scan(request, judging.every_output, judging.inputs)
    # GLITCH takes minutes, and a wrong flag must not come out after them
    check_before_report(judging, request.outputs)
    with scanned(request, terminal.say) as done:
        heading = Heading(tuple(_render(done)), _document(done), tuple(_warnings(done)))
        return judge(replace(judging, report=done.report), heading)


def _warnings(done: Scanned) -> Iterator[str]:
    if texts := done.complaints:
        yield f"GLITCH could not parse all: {some(texts)}"
    if done.unread:
        names = [f"{each.name}: {each.why}" for each in done.unread]
        yield f"{counted(len(names), 'path was', 'paths were')} not read: {some(names)}"


def _render(done: Scanned) -> Iterator[str]:
    yield f"{done.request.folder}: {done.glitch.shown} read {counted(done.read, 'script')}"
    if done.changed is not None:
        since = terminal.plain(done.request.changed_since or "")
        yield f"  changed    {done.changed} of {done.scripts} scripts, since {since}"
    for part in done.parts:
        rows = f"{counted(part.scripts, 'script')}, {counted(part.rows, 'row')}"
        unparsed = f", {len(part.complaints)} not parsed" if part.complaints else ""
        yield f"  {part.technology:<14} {rows}{unparsed}"
    if done.request.keep_report:
        yield f"  kept in    {done.request.keep_report}"


def _document(done: Scanned) -> dict[str, object]:
    return {
        "glitch": {"program": list(done.glitch.argv), "version": done.glitch.version or None},
        "scripts": {"found": done.scripts, "changed": done.changed, "read": done.read},
        "technologies": [
            {
                "name": part.technology,
                "scripts": part.scripts,
                "rows": part.rows,
                "not_parsed": list(part.complaints),
            }
            for part in done.parts
        ],
        "not_read": [{"path": each.name, "why": each.why} for each in done.unread],
        "glitch_report": str(done.request.keep_report) if done.request.keep_report else None,
    }


if __name__ == "__main__":
    sys.exit(main())
