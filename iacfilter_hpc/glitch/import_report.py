"""Import of a report: check the request, make samples, write them and the rejected rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError, UsageError, counted
from iacfilter_hpc.glitch.checks import (
    Output,
    folder_problems,
    input_problems,
    name_problems,
    output_problems,
    refuse,
    reported_problems,
    script_problems,
)
from iacfilter_hpc.glitch.oracle import Oracle, read_oracle
from iacfilter_hpc.glitch.report import BadRow, GlitchReport, open_report
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import Intake, RowSelection, Unusable, prefix_of, take_in
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.samples.groups import Groups, Origin, read_groups
from iacfilter_hpc.samples.sample import text_of

SHOWN_OF_BAD_ROW = 60


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Request to import: which report, about which scripts, and where the samples go.

    `smells` are names of smells, or GLITCH's codes. `technology` None means as each file's path
    says, `prefix` None the one that is found, `source` None one made of the oracle's or the
    report's form's name. `repo` and `family` are those of all scripts, `groups` a CSV that names
    them for each.
    """

    report: Path
    scripts: Path
    output: Path
    smells: frozenset[str]
    oracle: Path | None = None
    technology: str | None = None
    groups: Path | None = None
    repo: str | None = None
    family: str | None = None
    prefix: str | None = None
    source: str | None = None
    rejects: Path | None = None
    skip_bad_rows: bool = False

    @property
    def outputs(self) -> list[Output]:
        """The files to be written: the samples, then the rejected rows."""
        named = (("--output", self.output), ("--rejects", self.rejects))
        return [Output(flag, path) for flag, path in named if path]


@dataclass(frozen=True, slots=True)
class Imported:
    """Imported report: the request, what was read for it, and the samples made."""

    request: ImportRequest
    report: GlitchReport
    scripts: Scripts
    oracle: Oracle | None
    intake: Intake


def import_report(request: ImportRequest) -> Imported:
    """Make samples of the report's rows and write them, all files whole or none.

    Raises:
        UsageError: flags that make no sense together, outputs that would replace an input.
        DataError: the report, the oracle or the groups cannot be read, a row is none (unless such
            rows are skipped), or no row makes a sample.
    """
    refuse(list(_problems(request)))
    report = open_report(request.report)
    prefix = prefix_of(report, request.scripts) if request.prefix is None else request.prefix
    scripts = Scripts(request.scripts, prefix)
    refuse(list(reported_problems(request.outputs, report, scripts)))
    oracle = read_oracle(request.oracle, request.scripts) if request.oracle else None
    intake = take_in(report.rows(), scripts, _selection(request, report, oracle))
    # before anything is written: an import that skips rows unasked would look whole
    if intake.bad and not request.skip_bad_rows:
        raise _bad_rows(request, intake)
    # even where no sample is made: the rejected rows say why
    _write(request, intake)
    if not intake.samples:
        raise _no_sample(request, scripts, intake)
    return Imported(request, report, scripts, oracle, intake)


def reject(each: Unusable | BadRow) -> dict[str, object]:
    """JSON object of a row that made no sample.

    Bytes that are no UTF-8 stand in it as half surrogates.
    """
    if isinstance(each, BadRow):
        return {"row": each.row, "reason": each.problem, "raw": each.raw}
    found = each.detection
    return {
        "row": found.row,
        "path": found.path,
        "line": found.line,
        "code": found.code,
        "reason": each.reason.text,
        "raw": found.raw,
    }


def _problems(request: ImportRequest) -> Iterator[UsageError]:
    """What is wrong with the flags, before anything is read."""
    yield from input_problems(request.report)
    yield from folder_problems(request.scripts)
    if request.groups and (request.repo or request.family):
        yield UsageError(
            "--groups says what --repo and --family say: give one or the other",
            hint="a CSV for scripts of several repositories, a name for those of one",
        )
    yield from name_problems("--technology", request.technology)
    yield from name_problems("--repo", request.repo)
    yield from name_problems("--family", request.family)
    yield from name_problems("--source", request.source)
    inputs = [path for path in (request.report, request.oracle, request.groups) if path]
    yield from output_problems(request.outputs, inputs)
    yield from script_problems(request.outputs, request.scripts)


def _selection(request: ImportRequest, report: GlitchReport, oracle: Oracle | None) -> RowSelection:
    named = f"oracle:{request.oracle.name}" if request.oracle else f"glitch:{report.format}"
    groups = Groups(rest=Origin(request.repo, request.family))
    return RowSelection(
        smells=request.smells,
        technology=request.technology,
        source=request.source or named,
        oracle=oracle,
        groups=read_groups(request.groups) if request.groups else groups,
    )


def _bad_rows(request: ImportRequest, intake: Intake) -> DataError:
    lines = [
        f"{request.report}:{bad.row}: {bad.problem}: {bad.raw[:SHOWN_OF_BAD_ROW]!a}"
        for bad in intake.bad
    ]
    return DataError("\n".join(lines), hint="--skip-bad-rows reports such lines and goes on")


def _no_sample(request: ImportRequest, scripts: Scripts, intake: Intake) -> DataError:
    """The error of a report that gives none, with what became of its rows."""
    reasons = Counter(unusable.reason.text for unusable in intake.unusable)
    account = [f"{count} with the reason: {reason}" for reason, count in reasons.most_common()]
    account += [f"{count} of {smell}, which --smells leaves out" for smell, count in intake.other]
    account += [counted(len(intake.bad), "bad row")] if intake.bad else []
    how = f"without their prefix {scripts.prefix}" if scripts.prefix else "as they are"
    return DataError(
        "\n".join([f"{request.report} gives no sample ({counted(intake.rows, 'row')})", *account]),
        hint=f"paths are looked for below {request.scripts}, {how}: see --scripts, "
        "--path-prefix and --smells",
    )


def _write(request: ImportRequest, intake: Intake) -> None:
    """All files at once; of samples none is written where there is none."""
    rejects: list[Unusable | BadRow] = [*intake.unusable, *intake.bad]
    texts = {
        "--output": text_of(intake.samples),
        # json.dumps writes ASCII, where half surrogates (bytes that are no UTF-8) are escapes
        "--rejects": "".join(f"{json.dumps(reject(each))}\n" for each in rejects),
    }
    wanted = [o for o in request.outputs if o.flag == "--rejects" or intake.samples]
    # together: rejects beside the samples of an earlier import would be an account of others
    with replacing(*(output.real for output in wanted)) as files:
        for file, output in zip(files, wanted, strict=True):
            file.write(texts[output.flag].encode())
