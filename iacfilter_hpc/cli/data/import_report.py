"""iacfilter-data import: samples from a GLITCH report, and an account of the rest."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data.tables import balance_document, balance_table, plain
from iacfilter_hpc.cli.outputs import (
    Output,
    input_problems,
    output_problems,
    refuse,
    reported_problems,
    script_problems,
)
from iacfilter_hpc.cli.report_warnings import report_warnings, technology_warnings
from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.glitch.oracle import Oracle, read_oracle
from iacfilter_hpc.glitch.report import BadRow, GlitchReport, open_report
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import Intake, Unusable, Wanted, prefix_of, take_in
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.samples.groups import Groups, Origin, read_groups
from iacfilter_hpc.samples.leakage import DataFile
from iacfilter_hpc.samples.sample import sha256_of, text_of
from iacfilter_hpc.samples.smells import NAMES


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


def render(given: argparse.Namespace, done: Done) -> str:
    """The same for people."""
    intake = done.intake
    below = (
        f"paths below {plain(done.scripts.prefix)}" if done.scripts.prefix else "paths as they are"
    )
    other = ", ".join(f"{count} {plain(smell)}" for smell, count in intake.other) or "none"
    lines = [
        f"Wrote {len(intake.samples)} samples to {given.output}",
        f"  report      {given.report}: {intake.rows} rows of form {done.report.format}, {below}",
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


def run(given: argparse.Namespace) -> int:
    """The subcommand."""
    refuse(list(_problems(given)))
    report = open_report(given.report)
    prefix = given.path_prefix
    scripts = Scripts(given.scripts, prefix_of(report, given.scripts) if prefix is None else prefix)
    refuse(list(reported_problems(_outputs(given), report, scripts)))
    oracle = read_oracle(given.oracle, given.scripts) if given.oracle else None
    wanted = Wanted(
        smells=frozenset(NAMES if "all" in given.smells else given.smells),
        technology=given.technology,
        source=given.source
        or (f"oracle:{given.oracle.name}" if oracle else f"glitch:{report.format}"),
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
    _write(given, intake)
    if not intake.samples:
        raise no_sample(given, done)
    _warn(given, done)
    if given.json:
        terminal.print_json(document(given, done))
    else:
        print(render(given, done))
    return 0


def _problems(given: argparse.Namespace) -> Iterator[UsageError]:
    """What is wrong with the flags, before anything is read."""
    yield from input_problems(given.report)
    if not given.scripts.is_dir():
        yield UsageError(
            f"--scripts {given.scripts} is not a directory", hint="name the folder GLITCH has read"
        )
    if given.groups and (given.repo or given.family):
        yield UsageError(
            "--groups says what --repo and --family say: give one or the other",
            hint="a CSV for scripts of several repositories, a name for those of one",
        )
    for flag in ("technology", "repo", "family", "source"):
        value = getattr(given, flag)
        if value is not None and not (value.strip() and value.isprintable()):
            yield UsageError(f"--{flag} {value!a} is not a name", hint="a name is a line of text")
    inputs = [path for path in (given.report, given.oracle, given.groups) if path]
    outputs = _outputs(given)
    yield from output_problems(outputs, inputs)
    yield from script_problems(outputs, given.scripts)


def _outputs(given: argparse.Namespace) -> list[Output]:
    named = (("--output", given.output), ("--rejects", given.rejects))
    return [Output(flag, path) for flag, path in named if path]


def _groups(given: argparse.Namespace) -> Groups:
    if given.groups:
        return read_groups(given.groups)
    return Groups(rest=Origin(given.repo, given.family))


def _write(given: argparse.Namespace, intake: Intake) -> None:
    """All files at once; of samples none is written where there is none."""
    rejects: list[Unusable | BadRow] = [*intake.unusable, *intake.bad]
    texts = {
        "--output": text_of(intake.samples),
        "--rejects": "".join(f"{json.dumps(reject(each))}\n" for each in rejects),
    }
    wanted = [o for o in _outputs(given) if o.flag == "--rejects" or intake.samples]
    with replacing(*(output.real for output in wanted)) as files:
        for file, output in zip(files, wanted, strict=True):
            file.write(texts[output.flag].encode())


def _warn(given: argparse.Namespace, done: Done) -> None:
    for warning in (*technology_warnings(given.technology), *report_warnings(done.report)):
        terminal.say(f"warning: {warning}")
    if done.oracle:
        for path in done.oracle.missing:
            terminal.say(f"warning: the oracle names {path!a}, which is no file of the scripts")
    for file in done.intake.latin1:
        terminal.say(f"warning: {file!a} is not UTF-8, it was read as Latin-1")
