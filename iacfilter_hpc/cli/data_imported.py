"""What came of an import, for people and as a document."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_tables import balance_document, balance_table, plain
from iacfilter_hpc.detections.build import Unusable
from iacfilter_hpc.detections.glitch import BadRow, GlitchReport
from iacfilter_hpc.detections.intake import Intake
from iacfilter_hpc.detections.leakage import DataFile
from iacfilter_hpc.detections.oracle import Oracle
from iacfilter_hpc.detections.samples import sha256_of
from iacfilter_hpc.detections.scripts import Scripts
from iacfilter_hpc.errors import DataError


@dataclass(frozen=True, slots=True)
class Done:
    """An import as it went."""

    report: GlitchReport
    scripts: Scripts
    oracle: Oracle | None
    intake: Intake


def no_sample(given: argparse.Namespace, done: Done) -> DataError:
    """The error of a report that gives none, with what became of its rows."""
    intake = done.intake
    reasons = Counter(unusable.reason for unusable in intake.unusable)
    account = [f"{count} with the reason: {reason}" for reason, count in reasons.most_common()]
    account += [f"{count} of {smell}, which --smells leaves out" for smell, count in intake.other]
    account += [f"{len(intake.bad)} bad rows"] if intake.bad else []
    return DataError(
        "\n".join([f"{given.report} gives no sample ({intake.rows} rows)", *account]),
        hint=f"files are looked for below {given.scripts}, for paths below "
        f"{done.scripts.prefix or 'no prefix'}: see --scripts, --path-prefix and --smells",
    )


def reject(each: Unusable | BadRow) -> dict[str, object]:
    """A row that made no sample. Bytes that are no UTF-8 stand in it as half surrogates."""
    if isinstance(each, BadRow):
        return {"row": each.row, "reason": each.problem, "raw": each.raw}
    found = each.detection
    return {
        "row": found.row,
        "path": found.path,
        "line": found.line,
        "code": found.code,
        "reason": each.reason,
        "raw": found.raw,
    }


def document(given: argparse.Namespace, done: Done) -> dict[str, object]:
    """The answer of --json."""
    intake = done.intake
    return {
        "output": str(given.output),
        "sha256": sha256_of(given.output),
        "samples": len(intake.samples),
        "counts": balance_document(intake.samples),
        "report": str(given.report),
        "form": done.report.form,
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


def render(given: argparse.Namespace, done: Done) -> str:
    """The same for people."""
    intake = done.intake
    below = (
        f"paths below {plain(done.scripts.prefix)}" if done.scripts.prefix else "paths as they are"
    )
    other = ", ".join(f"{count} {plain(smell)}" for smell, count in intake.other) or "none"
    lines = [
        f"Wrote {len(intake.samples)} samples to {given.output}",
        f"  report      {given.report}: {intake.rows} rows of form {done.report.form}, {below}",
        f"  merged      {intake.merged} rows that repeat a file, line and smell",
        f"  other       {other}",
        f"  unusable    {len(intake.unusable)}, bad rows {len(intake.bad)}",
        f"  no group    {len(intake.ungrouped)} files without repository and family",
        "",
        balance_table([DataFile(given.output.name, intake.samples)]),
    ]
    if intake.unusable or intake.bad:
        rows = [
            [str(u.detection.row), plain(u.detection.path), str(u.detection.line), u.reason]
            for u in intake.unusable
        ]
        rows += [[str(bad.row), plain(bad.raw), "", bad.problem] for bad in intake.bad]
        lines += [
            "",
            terminal.table(["row", "path", "line", "not a sample because"], rows, ["row", "line"]),
        ]
    return "\n".join(lines)
