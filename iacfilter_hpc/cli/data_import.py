"""iacfilter-data import: samples from a GLITCH report, and an account of the rest."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_imported import Done, document, no_sample, reject, render
from iacfilter_hpc.cli.outputs import (
    Output,
    input_problems,
    output_problems,
    refuse,
    reported_problems,
    script_problems,
)
from iacfilter_hpc.cli.report_warnings import report_warnings, technology_warnings
from iacfilter_hpc.detections.build import Unusable
from iacfilter_hpc.detections.glitch import BadRow, open_report
from iacfilter_hpc.detections.groups import Groups, Origin, read_groups
from iacfilter_hpc.detections.intake import Intake, Wanted, prefix_of, take_in
from iacfilter_hpc.detections.oracle import read_oracle
from iacfilter_hpc.detections.scripts import Scripts
from iacfilter_hpc.detections.smells import NAMES
from iacfilter_hpc.detections.write import text_of
from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.files import replacing


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
