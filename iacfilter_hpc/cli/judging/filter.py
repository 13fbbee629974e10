"""iacfilter-filter: take the false alarms out of a GLITCH report with a trained model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.judging.flags import add_judging, request_of
from iacfilter_hpc.cli.judging.run import Heading, judge, run_judging
from iacfilter_hpc.errors import counted

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.request import FilterRequest

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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    parser = arguments()
    args = parser.parse_args(argv)
    if (args.report is None) == (args.sarif_in is None):
        parser.error("give either REPORT or --sarif-in FILE")
    return run_judging(args, lambda: _filter(request_of(args), args.sarif_in))


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


if __name__ == "__main__":
    sys.exit(main())
