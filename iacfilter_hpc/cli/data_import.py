"""iacfilter-data import: samples from a GLITCH report, and an account of the rest."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_tables import balance_document, balance_table, check_output, plain
from iacfilter_hpc.detections.build import Unusable
from iacfilter_hpc.detections.glitch import BadRow, GlitchReport, open_report
from iacfilter_hpc.detections.groups import Groups, Origin, read_groups
from iacfilter_hpc.detections.intake import Intake, Wanted, prefix_of, take_in
from iacfilter_hpc.detections.leakage import DataFile
from iacfilter_hpc.detections.oracle import Oracle, read_oracle
from iacfilter_hpc.detections.samples import sha256_of
from iacfilter_hpc.detections.scripts import Scripts
from iacfilter_hpc.detections.smells import NAMES
from iacfilter_hpc.detections.write import write_samples
from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.files import write_atomically


@dataclass(frozen=True, slots=True)
class Done:
    """An import as it went."""

    report: GlitchReport
    scripts: Scripts
    oracle: Oracle | None
    intake: Intake


def run(given: argparse.Namespace) -> int:
    """The subcommand."""
    _check(given)
    report = open_report(given.report)
    prefix = given.path_prefix
    scripts = Scripts(given.scripts, prefix_of(report, given.scripts) if prefix is None else prefix)
    oracle = read_oracle(given.oracle, given.scripts) if given.oracle else None
    wanted = Wanted(
        smells=frozenset(NAMES if "all" in given.smells else given.smells),
        technology=given.technology,
        source=given.source
        or (f"oracle:{given.oracle.name}" if oracle else f"glitch:{report.form}"),
        oracle=oracle,
        groups=_groups(given),
    )
    intake = take_in(report.rows(), scripts, wanted)
    if intake.bad and not given.skip_bad_rows:
        raise DataError(
            "\n".join(
                f"{given.report}:{bad.row}: {bad.problem}: {bad.raw[:60]!a}" for bad in intake.bad
            ),
            hint="--skip-bad-rows reports such lines and goes on",
        )
    done = Done(report, scripts, oracle, intake)
    if given.rejects:
        rejects: list[Unusable | BadRow] = [*intake.unusable, *intake.bad]
        lines = (json.dumps(_reject(each)) for each in rejects)
        write_atomically(given.rejects, "".join(f"{line}\n" for line in lines))
    if not intake.samples:
        raise _no_sample(given, done)
    write_samples(given.output, intake.samples)
    _warn(done)
    if given.json:
        terminal.print_json(_document(given, done))
    else:
        print(_render(given, done))
    return 0


def _check(given: argparse.Namespace) -> None:
    if not given.scripts.is_dir():
        raise UsageError(f"--scripts {given.scripts} is not a directory")
    if given.groups and (given.repo or given.family):
        raise UsageError("--groups says what --repo and --family say: give one or the other")
    for flag in ("technology", "repo", "family", "source"):
        value = getattr(given, flag)
        if value is not None and not (value.strip() and value.isprintable()):
            raise UsageError(f"--{flag} {value!a} is not a name")
    inputs = [path for path in (given.report, given.oracle, given.groups) if path]
    check_output("--output", given.output, inputs)
    if given.rejects:
        check_output("--rejects", given.rejects, [*inputs, given.output])
        if given.rejects.absolute() == given.output.absolute():
            raise UsageError("--rejects and --output name the same file")


def _groups(given: argparse.Namespace) -> Groups:
    if given.groups:
        return read_groups(given.groups)
    return Groups(rest=Origin(given.repo, given.family))


def _no_sample(given: argparse.Namespace, done: Done) -> DataError:
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


def _warn(done: Done) -> None:
    if done.oracle:
        for path in done.oracle.missing:
            terminal.say(f"warning: the oracle names {path!a}, which is no file of the scripts")
    for file in done.intake.latin1:
        terminal.say(f"warning: {file!a} is not UTF-8, it was read as Latin-1")


def _reject(each: Unusable | BadRow) -> dict[str, object]:
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


def _document(given: argparse.Namespace, done: Done) -> dict[str, object]:
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
        "unusable": [_reject(unusable) for unusable in intake.unusable],
        "bad_rows": [_reject(bad) for bad in intake.bad],
        "latin1": list(intake.latin1),
        "ungrouped": list(intake.ungrouped),
        "oracle_missing": list(done.oracle.missing) if done.oracle else [],
    }


def _render(given: argparse.Namespace, done: Done) -> str:
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
