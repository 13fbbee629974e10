"""iacfilter-data import: samples from a GLITCH report, and an account of the rest.

Every row is accounted for: samples, merged, other, unusable and bad add up to the rows read.
"""

from __future__ import annotations

import argparse

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data.balance import balance_table
from iacfilter_hpc.errors import counted
from iacfilter_hpc.glitch.checks import report_warnings, technology_warnings
from iacfilter_hpc.glitch.import_report import Imported, ImportRequest, import_report, reject
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.label_counts import balance_document
from iacfilter_hpc.samples.leakage import DataFile
from iacfilter_hpc.samples.smells import NAMES


def request_of(args: argparse.Namespace) -> ImportRequest:
    """The request that the flags make."""
    return ImportRequest(
        report=args.report,
        scripts=args.scripts,
        output=args.output,
        smells=frozenset(NAMES if "all" in args.smells else args.smells),
        oracle=args.oracle,
        technology=args.technology,
        groups=args.groups,
        repo=args.repo,
        family=args.family,
        prefix=args.path_prefix,
        source=args.source,
        rejects=args.rejects,
        skip_bad_rows=args.skip_bad_rows,
    )


def run(request: ImportRequest, *, as_json: bool) -> int:
    """Run the subcommand and return 0.

    Raises:
        UsageError: flags that make no sense together; all are named.
        DataError: the report or another input cannot be read, or has wrong lines.
    """
    done = import_report(request)
    for warning in warnings(done):
        terminal.say(f"warning: {warning}")
    if as_json:
        terminal.print_json(document(done))
    else:
        print(render(done))
    return 0


def warnings(done: Imported) -> list[str]:
    """Warnings: what may be a slip, and what was read otherwise than it may be meant."""
    # !a: a path may hold bytes that are no UTF-8, and a warning must show which
    missing = done.oracle.missing if done.oracle else ()
    return [
        *technology_warnings(done.request.technology),
        *report_warnings(done.report),
        *(f"the oracle names {path!a}, which is no file of the scripts" for path in missing),
        *(f"{file!a} is not UTF-8, it was read as Latin-1" for file in done.intake.latin1),
    ]


def document(done: Imported) -> dict[str, object]:
    """The JSON document of an import."""
    intake = done.intake
    return {
        "output": str(done.request.output),
        "sha256": sha256_of(done.request.output),
        "samples": len(intake.samples),
        "counts": balance_document(intake.samples),
        "report": str(done.request.report),
        "form": done.report.format,
        "prefix": done.scripts.prefix,
        "rows": intake.rows,
        "merged": intake.merged,
        "other": dict(intake.other),
        "unusable": [reject(unusable) for unusable in intake.unusable],
        "bad_rows": [reject(bad) for bad in intake.bad],
        "latin1": list(intake.latin1),
        "ungrouped": list(intake.ungrouped),
        "oracle_missing": list(done.oracle.missing) if done.oracle else [],
    }


def render(done: Imported) -> str:
    """The text of an import, for people."""
    request, intake, prefix = done.request, done.intake, done.scripts.prefix
    below = f"paths below {terminal.plain(prefix)}" if prefix else "paths as they are"
    other = ", ".join(f"{count} {terminal.plain(smell)}" for smell, count in intake.other) or "none"
    rows = f"{counted(intake.rows, 'row')} of form {done.report.format}"
    merged = counted(intake.merged, "row that repeats", "rows that repeat")
    lines = [
        f"Wrote {counted(len(intake.samples), 'sample')} to {request.output}",
        f"  report      {request.report}: {rows}, {below}",
        f"  merged      {merged} a file, line and smell",
        f"  other       {other}",
        f"  unusable    {len(intake.unusable)}, bad rows {len(intake.bad)}",
        f"  no group    {counted(len(intake.ungrouped), 'file')} without repository and family",
        "",
        balance_table([DataFile(request.output.name, intake.samples)]),
    ]
    if intake.unusable or intake.bad:
        rejected = [
            [
                str(u.detection.row),
                terminal.plain(u.detection.path),
                str(u.detection.line),
                u.reason.text,
            ]
            for u in intake.unusable
        ]
        rejected += [[str(bad.row), terminal.plain(bad.raw), "", bad.problem] for bad in intake.bad]
        columns = ["row", "path", "line", "not a sample because"]
        lines += ["", terminal.table(columns, rejected, ["row", "line"])]
    return "\n".join(lines)
