"""Filtering of a report: check the request, judge every row, write rows and SARIF log.

No torch is imported before the flags, the model's directory and the report have been checked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.config.extras import FILTER, TRAIN, check_installed
from iacfilter_hpc.errors import UsageError, counted
from iacfilter_hpc.filtering.code_quality import CodeQualityReport
from iacfilter_hpc.filtering.findings import Findings, Unjudged
from iacfilter_hpc.filtering.first_reading import FirstReading, unchanged
from iacfilter_hpc.filtering.safety.guard import Guard, SafetyOptions, guard_of
from iacfilter_hpc.filtering.safety.removal import Spared, spare
from iacfilter_hpc.filtering.safety.rules import Rules, find_rules
from iacfilter_hpc.filtering.safety.worthless import check_worth
from iacfilter_hpc.filtering.summary import JobSummary
from iacfilter_hpc.glitch.checks import (
    Output,
    folder_problems,
    input_problems,
    model_problems,
    name_problems,
    output_problems,
    refuse,
    reported_problems,
    script_problems,
    smell_problems,
    stdout_problems,
)
from iacfilter_hpc.glitch.decisions import DecidedRow, Tally
from iacfilter_hpc.glitch.filtered import FilteredReport
from iacfilter_hpc.glitch.report import Detection, GlitchReport, open_report
from iacfilter_hpc.glitch.rows import Row, read_rows
from iacfilter_hpc.glitch.sarif import DecidingModel, SarifLog
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import prefix_of
from iacfilter_hpc.onnx_model import record as onnx_record
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.trained_model.decision import Decision, read_decision
from iacfilter_hpc.trained_model.find import Trained, find_trained
from iacfilter_hpc.verdicts.baseline import Baseline, read_baseline, write_baseline
from iacfilter_hpc.verdicts.people import People, read_people
from iacfilter_hpc.verdicts.repository import find_verdicts

if TYPE_CHECKING:
    from iacfilter_hpc.filtering.threshold import FilterThreshold

# what scoring imports, of a model that is not in ONNX; DeepSpeed is no part of it
PACKAGES = "torch transformers peft datasets scipy".split()

Write = Callable[[bytes], object]
OpenStdout = Callable[[], Write]
"""Called once the request is checked, and only if rows go to standard output."""
Progress = Callable[[GlitchReport], AbstractContextManager[Callable[[int], object]]]
"""Entered before the first row; what it gives is called with the number of rows just judged."""


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """Request to filter: which report, with which model, and where the result goes.

    `threshold` and `min_recall` None mean the model's own threshold; `technology` None means as
    each file's extension says, `prefix` None the one that is found. `verdicts` None means those
    that are found from the scripts upwards, if `use_verdicts`. Without `output` the rows go to
    standard output, unless `as_json` says that this is for one JSON document. `made_from` is the
    file or folder that a temporary report was made from, which is what a person knows.
    """

    report: Path
    scripts: Path
    models: Path
    model: str
    threshold: float | None = None
    min_recall: float | None = None
    technology: str | None = None
    prefix: str | None = None
    output: Path | None = None
    sarif: Path | None = None
    annotate: bool = False
    bare: bool = False
    omit_suppressed: bool = False
    fail_on_findings: bool = False
    as_json: bool = False
    safety: SafetyOptions = field(default_factory=SafetyOptions)
    verdicts: Path | None = None
    use_verdicts: bool = True
    baseline: Path | None = None
    write_baseline: Path | None = None
    smells: frozenset[str] | None = None
    unjudged: Unjudged = Unjudged.KEEP
    code_quality: Path | None = None
    summary: Path | None = None
    made_from: Path | None = None

    @property
    def outputs(self) -> list[Output]:
        """The files to be written."""
        named = (
            ("--output", self.output),
            ("--sarif", self.sarif),
            ("--code-quality", self.code_quality),
            ("--summary", self.summary),
        )
        return [Output(flag, path) for flag, path in named if path]

    @property
    def every_output(self) -> list[Output]:
        """Those, and the baseline, which is written by itself once all rows are judged."""
        written = self.write_baseline
        return [*self.outputs, *([Output("--write-baseline", written)] if written else [])]

    @property
    def findings(self) -> Findings:
        """Which of the kept rows count."""
        return Findings(self.smells, self.unjudged)

    @property
    def shown(self) -> Path:
        """What the report is called."""
        return self.made_from or self.report


@dataclass(frozen=True, slots=True)
class Filtered:
    """Filtered report and its account; `seconds` are of judging, without loading the model.

    `findings` counts the rows that are kept and count (see Findings).
    """

    request: FilterRequest
    model: Trained
    report: GlitchReport
    scripts: Scripts
    approach: str
    threshold: FilterThreshold
    tally: Tally
    log: SarifLog | None
    findings: int
    seconds: float
    rules: Rules
    spared: Spared
    people: People | None = None
    baseline: Baseline | None = None
    baseline_written: int | None = None

    @property
    def rows_a_second(self) -> float:
        """Rows judged a second; blank lines are no rows."""
        return self.tally.total().rows / self.seconds


def filter_report(request: FilterRequest, open_stdout: OpenStdout, progress: Progress) -> Filtered:
    """Judge every row of a report and write what is asked for, all files whole or none.

    Raises:
        UsageError: flags that make no sense together, outputs that would replace an input.
        IacfilterError: packages are missing here; there is no such model, or it is not whole.
        DataError: the report cannot be read, or has no row of any known form.
    """
    model = check_request(request)
    # empty is what GLITCH of 2022 writes when it has found nothing, and a clean scan must pass
    report = open_report(request.report, may_be_empty=True)
    prefix = prefix_of(report, request.scripts) if request.prefix is None else request.prefix
    scripts = Scripts(request.scripts, prefix)
    outputs = request.every_output
    refuse([*model_problems(outputs, model.final), *reported_problems(outputs, report, scripts)])
    _refuse_wrong_scripts(request, report, scripts)
    return _judge(request, _settle(request, model, scripts), report, open_stdout, progress)


def check_request(request: FilterRequest) -> Trained:
    """Raise what is wrong with the request, whatever the report holds, and find the model."""
    refuse(list(_problems(request)))
    model = find_trained(request.models, request.model)
    _check_packages(model.final)
    return model


def _check_packages(final: Path) -> None:
    """Raise IacfilterError unless the packages that score this model can be found."""
    if onnx_record.is_onnx(final):
        check_installed(onnx_record.PACKAGES, FILTER)
    else:
        other = "iacfilter-export RUN --onnx, where it was trained, makes of an encoder one without"
        check_installed(PACKAGES, f"{TRAIN}\n{other}")


def _refuse_wrong_scripts(request: FilterRequest, report: GlitchReport, scripts: Scripts) -> None:
    """Raise if the report is about scripts of which not one is there: the folder is another one.

    Every row would be kept unjudged, and the result look careful where nothing was filtered.
    """
    named = {row.path for row in report.rows() if isinstance(row, Detection)}
    files = (scripts.relative(path) for path in named)
    if named and not any(file is not None and scripts.holds(file) for file in files):
        below = f"for paths below {scripts.prefix}" if scripts.prefix else "for paths as they are"
        raise UsageError(
            f"{request.shown} names {counted(len(named), 'script')}, and none is in "
            f"--scripts {scripts.folder}, {below}",
            hint="--scripts is the folder that GLITCH has read, --path-prefix what the report's "
            "paths have in its place",
        )


def _problems(request: FilterRequest) -> Iterator[UsageError]:
    # a report that is made by us is there when it is asked for, and not before
    if not request.made_from:
        yield from input_problems(request.report)
    # with -o and without --json nothing goes to standard output
    if request.as_json or not request.output:
        yield from stdout_problems(request.report)
    yield from folder_problems(request.scripts)
    yield from name_problems("--technology", request.technology)
    if request.bare and request.annotate:
        yield UsageError(
            "--bare leaves out the marks that --annotate is for", hint="give one of them"
        )
    if request.omit_suppressed and not request.sarif:
        yield UsageError(
            "--omit-suppressed is about --sarif, which is not given", hint="give both or neither"
        )
    yield from smell_problems("--yes-remove", request.safety.yes_remove)
    verdicts = find_verdicts(request.scripts, request.verdicts).path
    inputs = [path for path in (request.report, request.made_from, verdicts) if path]
    yield from output_problems(request.every_output, inputs)
    # a baseline may take the place of the one that was read
    yield from output_problems(request.outputs, [request.baseline] if request.baseline else [])
    yield from script_problems(request.every_output, request.scripts)


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a filter decides by: a model with its threshold, what guards against both, and people.

    `baseline` is what was there before.
    """

    model: Trained
    decision: Decision
    threshold: FilterThreshold
    rules: Rules
    guard: Guard
    people: People | None
    baseline: Baseline | None

    def by_people(self, judged: Sequence[DecidedRow]) -> Sequence[DecidedRow]:
        """The rows as people have decided them, where they have."""
        return judged if self.people is None else self.people.decided(judged)


def _settle(request: FilterRequest, model: Trained, scripts: Scripts) -> _Settled:
    """Settle by what a report is decided, before torch and the weights are loaded."""
    from iacfilter_hpc.filtering.threshold import choose_filter_threshold

    safety = request.safety
    rules = find_rules(request.scripts, safety.rules)
    decision = read_decision(model.final)
    check_worth(model.final, decision, safety)
    # a model without validation scores is refused at once
    threshold = choose_filter_threshold(
        model.final, decision, request.threshold, request.min_recall
    )
    guard = guard_of(model.final, decision, threshold.value, safety, rules, scripts)
    people = read_people(scripts, request.verdicts) if request.use_verdicts else None
    baseline = read_baseline(request.baseline, scripts) if request.baseline else None
    return _Settled(model, decision, threshold, rules, guard, people, baseline)


def _judge(
    request: FilterRequest,
    settled: _Settled,
    report: GlitchReport,
    open_stdout: OpenStdout,
    progress: Progress,
) -> Filtered:
    # Where cores are shared, as on a CI runner, threads that wait in a loop take them from those
    # that compute: seven times slower, measured. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # only now: torch takes seconds to import
    from iacfilter_hpc.evaluation.predict import load_scorer
    from iacfilter_hpc.filtering.filter import Filter

    model, threshold, scripts = settled.model, settled.threshold, settled.guard.scripts
    baseline = settled.baseline
    deciding = DecidingModel(model.name, threshold.value, threshold.origin)
    # temporary files are made before the model is loaded, so a folder that takes none is named at
    # once
    with _open_outputs(request, report, deciding, open_stdout) as sinks:
        scorer = load_scorer(model.final)
        started, first, by_model, tally = time.monotonic(), FirstReading(), Tally(), Tally()
        row_filter = Filter(
            scorer, threshold.value, scripts, request.technology, settled.guard, request.smells
        )
        with unchanged(report):
            with progress(report) as advance:
                for judged in row_filter.judge(_rows(report, baseline)):
                    first.add(judged)
                    # what people have decided goes whatever share it is: the model is watched
                    by_model.add(each for each in settled.by_people(judged) if not each.person)
                    advance(len(judged))
            # what all rows together say decides what may be removed: so all come before the first
            spared = spare(by_model, request.safety)
            sinks.begin()
            for judged in row_filter.judge_again(_rows(report, baseline), first):
                # people last, over whatever else would keep or remove a row
                decided = settled.by_people(spared.applied(judged))
                sinks.add(decided)
                tally.add(decided)
        sinks.end(tally)
        seconds = time.monotonic() - started
        # inside: where it cannot be written, no other file appears either
        written = request.write_baseline
        known = write_baseline(written, report, scripts) if written else None
    return Filtered(
        request=request,
        model=model,
        report=report,
        scripts=scripts,
        approach=settled.decision.approach,
        threshold=threshold,
        tally=tally,
        log=sinks.log,
        findings=sinks.count,
        seconds=seconds,
        rules=settled.rules,
        spared=spared,
        people=settled.people,
        baseline=baseline,
        baseline_written=known,
    )


def _rows(report: GlitchReport, baseline: Baseline | None) -> Iterator[Row]:
    """The rows to judge: all, or those that a baseline does not know."""
    rows = read_rows(report)
    return baseline.only_new(rows) if baseline else rows


@dataclass(slots=True)
class _Sinks:
    """What is written of judged rows: all of them, those that a log shows, or the findings alone.

    `count` is how many findings there were.
    """

    findings: Findings
    rows: FilteredReport | None
    log: SarifLog | None
    quality: CodeQualityReport | None
    summary: JobSummary | None
    count: int = 0

    def begin(self) -> None:
        for sink in (self.rows, self.log, self.quality):
            if sink is not None:
                sink.begin()

    def add(self, judged: Sequence[DecidedRow]) -> None:
        found = [row for row in judged if self.findings.counts(row)]
        self.count += len(found)
        if self.rows is not None:
            self.rows.add(judged)
        if self.log is not None:
            self.log.add(row for row in judged if self.findings.shows(row))
        for sink in (self.quality, self.summary):
            if sink is not None:
                sink.add(found)

    def end(self, tally: Tally) -> None:
        for sink in (self.log, self.quality):
            if sink is not None:
                sink.end()
        if self.summary is not None:
            self.summary.end(tally)


@contextmanager
def _open_outputs(
    request: FilterRequest, report: GlitchReport, model: DecidingModel, open_stdout: OpenStdout
) -> Iterator[_Sinks]:
    """The rows and what else is asked for, of which no file appears before all is well."""
    # through links: replacing the link would leave the old file where it points
    paths = [output.real for output in request.outputs]
    with replacing(*paths) as files, report.path.open("rb") as source:
        writers = {o.flag: file.write for o, file in zip(request.outputs, files, strict=True)}
        rows: Write | None = writers.get("--output")
        if rows is None and not request.as_json:
            rows = open_stdout()
        log, quality, summary = map(writers.get, ("--sarif", "--code-quality", "--summary"))
        yield _Sinks(
            request.findings,
            FilteredReport(report, source, rows, every=request.annotate, bare=request.bare)
            if rows
            else None,
            SarifLog(log, model, request.omit_suppressed) if log else None,
            CodeQualityReport(quality) if quality else None,
            JobSummary(summary, model) if summary else None,
        )
