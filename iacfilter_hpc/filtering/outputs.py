"""Outputs of a filter: rows, logs, summary and baseline, all of them whole or none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from iacfilter_hpc.filtering.code_quality import CodeQualityReport
from iacfilter_hpc.filtering.findings import Findings
from iacfilter_hpc.filtering.request import FilterRequest
from iacfilter_hpc.filtering.summary import JobSummary
from iacfilter_hpc.glitch.decisions import DecidedRow, Tally
from iacfilter_hpc.glitch.filtered import FilteredReport
from iacfilter_hpc.glitch.report import GlitchReport
from iacfilter_hpc.glitch.sarif import DecidingModel, SarifLog
from iacfilter_hpc.runs.files import replacing

Write = Callable[[bytes], object]
OpenStdout = Callable[[], Write]
"""Called once the request is checked, and only if rows go to standard output."""


@dataclass(slots=True)
class Sinks:
    """What is written of judged rows: all of them, those that a log shows, or the findings alone.

    `baseline` takes what the rows are known by. `count` is how many findings there were.
    """

    findings: Findings
    rows: FilteredReport | None
    log: SarifLog | None
    quality: CodeQualityReport | None
    summary: JobSummary | None
    baseline: Write | None
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
def open_outputs(
    request: FilterRequest, report: GlitchReport, model: DecidingModel, open_stdout: OpenStdout
) -> Iterator[Sinks]:
    """The rows and what else is asked for, of which no file appears before all is well."""
    # through links: replacing the link would leave the old file where it points
    # the baseline last, so what stands for a report is there before the next run knows its rows
    outputs = request.every_output
    paths = [output.real for output in outputs]
    with replacing(*paths) as files, report.path.open("rb") as source:
        writers = {o.flag: file.write for o, file in zip(outputs, files, strict=True)}
        rows: Write | None = writers.get("--output")
        if rows is None and not request.as_json:
            rows = open_stdout()
        log, quality, summary = map(writers.get, ("--sarif", "--code-quality", "--summary"))
        yield Sinks(
            request.findings,
            FilteredReport(report, source, rows, every=request.annotate, bare=request.bare)
            if rows
            else None,
            SarifLog(log, model, request.omit_suppressed) if log else None,
            CodeQualityReport(quality) if quality else None,
            JobSummary(summary, model) if summary else None,
            writers.get("--write-baseline"),
        )
