"""Filtering of a report: check the request, judge every row, write rows and SARIF log.

No torch is imported before the flags, the model's directory and the report have been checked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.config.extras import FILTER, TRAIN, check_installed
from iacfilter_hpc.errors import UsageError
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
    stdout_problems,
)
from iacfilter_hpc.glitch.decisions import Tally
from iacfilter_hpc.glitch.filtered import FilteredReport
from iacfilter_hpc.glitch.report import GlitchReport, open_report
from iacfilter_hpc.glitch.rows import read_rows
from iacfilter_hpc.glitch.sarif import DecidingModel, SarifLog
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import prefix_of
from iacfilter_hpc.onnx_model import record as onnx_record
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.trained_model.find import Trained, find_trained

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
    each file's extension says, `prefix` None the one that is found. Without `output` the rows go to
    standard output, unless `as_json` says that this is for one JSON document.
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

    @property
    def outputs(self) -> list[Output]:
        """The files to be written: the rows, then the SARIF log."""
        named = (("--output", self.output), ("--sarif", self.sarif))
        return [Output(flag, path) for flag, path in named if path]


@dataclass(frozen=True, slots=True)
class Filtered:
    """Filtered report and its account; `seconds` are of judging, without loading the model."""

    request: FilterRequest
    model: Trained
    report: GlitchReport
    scripts: Scripts
    approach: str
    threshold: FilterThreshold
    tally: Tally
    log: SarifLog | None
    seconds: float

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
    _check(request)
    model = find_trained(request.models, request.model)
    _check_packages(model.final)
    # empty is what GLITCH of 2022 writes when it has found nothing, and a clean scan must pass
    report = open_report(request.report, may_be_empty=True)
    prefix = prefix_of(report, request.scripts) if request.prefix is None else request.prefix
    scripts = Scripts(request.scripts, prefix)
    outputs = request.outputs
    refuse([*model_problems(outputs, model.final), *reported_problems(outputs, report, scripts)])
    return _judge(request, model, report, scripts, open_stdout, progress)


def _check(request: FilterRequest) -> None:
    """Raise what is wrong with the request, whatever model and report hold."""
    refuse(list(_problems(request)))


def _check_packages(final: Path) -> None:
    """Raise IacfilterError unless the packages that score this model can be found."""
    if onnx_record.is_onnx(final):
        check_installed(onnx_record.PACKAGES, FILTER)
    else:
        without = (
            "an encoder needs none of them after iacfilter-export RUN --onnx where it was trained"
        )
        check_installed(PACKAGES, f"{TRAIN}\n{without}")


def _problems(request: FilterRequest) -> Iterator[UsageError]:
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
    yield from output_problems(request.outputs, [request.report])
    yield from script_problems(request.outputs, request.scripts)


def _judge(
    request: FilterRequest,
    model: Trained,
    report: GlitchReport,
    scripts: Scripts,
    open_stdout: OpenStdout,
    progress: Progress,
) -> Filtered:
    # Where cores are shared, as on a CI runner, threads that wait in a loop take them from those
    # that compute: seven times slower, measured. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # only now: torch takes seconds to import
    from iacfilter_hpc.evaluation.predict import load_scorer
    from iacfilter_hpc.filtering.filter import Filter
    from iacfilter_hpc.filtering.threshold import choose_filter_threshold
    from iacfilter_hpc.trained_model.decision import read_decision

    decision = read_decision(model.final)
    # before the weights are loaded: a model without validation scores is refused at once
    threshold = choose_filter_threshold(
        model.final, decision, request.threshold, request.min_recall
    )
    deciding = DecidingModel(model.name, threshold.value, threshold.origin)
    # temporary files are made before the model is loaded, so a folder that takes none is named at
    # once
    with _open_outputs(request, report, deciding, open_stdout) as (rows, log):
        scorer = load_scorer(model.final)
        started, tally = time.monotonic(), Tally()
        sinks = [sink for sink in (rows, log) if sink is not None]
        for sink in sinks:
            sink.begin()
        with progress(report) as advance:
            row_filter = Filter(scorer, threshold.value, scripts, request.technology)
            for judged in row_filter.judge(read_rows(report)):
                for sink in sinks:
                    sink.add(judged)
                tally.add(judged)
                advance(len(judged))
        if log is not None:
            log.end()
        seconds = time.monotonic() - started
    return Filtered(
        request, model, report, scripts, scorer.decision.approach, threshold, tally, log, seconds
    )


@contextmanager
def _open_outputs(
    request: FilterRequest, report: GlitchReport, model: DecidingModel, open_stdout: OpenStdout
) -> Iterator[tuple[FilteredReport | None, SarifLog | None]]:
    """The rows and the SARIF log, of which no file appears before all is well."""
    # through links: replacing the link would leave the old file where it points
    paths = [output.real for output in request.outputs]
    with replacing(*paths) as files, report.path.open("rb") as source:
        writers: list[Write] = [file.write for file in files]
        rows: Write | None = None
        if request.output:
            # in the order of `outputs`: the rows first, so that what is left is the log
            rows = writers.pop(0)
        elif not request.as_json:
            rows = open_stdout()
        yield (
            FilteredReport(report, source, rows, every=request.annotate, bare=request.bare)
            if rows
            else None,
            SarifLog(writers[0], model, request.omit_suppressed) if request.sarif else None,
        )
