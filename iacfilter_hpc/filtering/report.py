"""Filtering of a report: check the request, judge every row, write rows and SARIF log.

No torch is imported before the flags, the model's directory and the report have been checked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iacfilter_hpc.errors import UsageError, counted
from iacfilter_hpc.filtering.first_reading import FirstReading, unchanged
from iacfilter_hpc.filtering.outputs import OpenStdout, open_outputs
from iacfilter_hpc.filtering.request import FilterRequest, check_request
from iacfilter_hpc.filtering.safety.guard import Guard, guard_of
from iacfilter_hpc.filtering.safety.removal import Spared, spare
from iacfilter_hpc.filtering.safety.rules import Rules, find_rules
from iacfilter_hpc.filtering.safety.worthless import check_worth
from iacfilter_hpc.glitch.checks import (
    Output,
    model_problems,
    refuse,
    reported_problems,
)
from iacfilter_hpc.glitch.decisions import DecidedRow, Tally
from iacfilter_hpc.glitch.report import BadRow, Detection, GlitchReport, open_report
from iacfilter_hpc.glitch.rows import Row, read_rows
from iacfilter_hpc.glitch.sarif import DecidingModel, SarifLog
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import prefix_of
from iacfilter_hpc.scanning.sarif_in import NO_PLACE
from iacfilter_hpc.trained_model.decision import Decision, read_decision
from iacfilter_hpc.trained_model.find import Trained
from iacfilter_hpc.verdicts.baseline import Baseline, read_baseline, write_baseline
from iacfilter_hpc.verdicts.people import People, read_people

if TYPE_CHECKING:
    from iacfilter_hpc.filtering.threshold import FilterThreshold

Progress = Callable[[GlitchReport], AbstractContextManager[Callable[[int], object]]]
"""Entered before the first row; what it gives is called with the number of rows just judged."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """Filtered report and its account; `seconds` are of judging, without loading the model.

    `findings` counts the rows that are kept and count (see Findings), `credentials_by_people` those
    that look like live credentials and are gone as people called them false alarms.
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
    credentials_by_people: int = 0
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


def check_before_report(request: FilterRequest, also: Sequence[Output]) -> None:
    """Raise what filter_report would, as far as it can be told before there is a report.

    `also`: further outputs, of whoever makes the report.

    Raises:
        UsageError: flags that make no sense together, outputs that would replace an input.
        IacfilterError: what decides cannot be read: the model, rules, verdicts, the baseline.
    """
    model = check_request(request)
    refuse(list(model_problems([*request.every_output, *also], model.final)))
    _settle(request, model, Scripts(request.scripts))


def _refuse_wrong_scripts(request: FilterRequest, report: GlitchReport, scripts: Scripts) -> None:
    """Raise if the report is about scripts of which not one is there: the folder is another one.

    Every row would be kept unjudged, and the result look careful where nothing was filtered.
    """
    named = {row.path for row in report.rows() if isinstance(row, Detection)} - {NO_PLACE}
    files = (scripts.relative(path) for path in named)
    if named and not any(file is not None and scripts.holds(file) for file in files):
        below = f"for paths below {scripts.prefix}" if scripts.prefix else "for paths as they are"
        raise UsageError(
            f"{request.shown} names {counted(len(named), 'script')}, and none is in "
            f"--scripts {scripts.folder}, {below}",
            hint="--scripts is the folder that GLITCH has read, --path-prefix what the report's "
            "paths have in its place",
        )


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
        """The rows as people have decided them, where they have; a rule is above them too.

        Whoever may write a verdict is not whoever writes the rules: a pull request may hold one.
        """
        if self.people is None:
            return judged
        pairs = zip(judged, self.people.decided(judged), strict=True)
        return [self._ruled(*pair) for pair in pairs]

    def _ruled(self, judged: DecidedRow, decided: DecidedRow) -> DecidedRow:
        sample, found = judged.sample, judged.row.found
        if not _is_removed_by_people(decided) or sample is None or isinstance(found, BadRow):
            return decided
        reason = self.guard.rule(sample, found.detail)
        return decided if reason is None else replace(judged, decision=None, reason=reason)

    def credentials(self, decided: Sequence[DecidedRow]) -> int:
        """How many rows that look like live credentials people have called false alarms."""
        return sum(
            _is_removed_by_people(each)
            and each.sample is not None
            and not isinstance(each.row.found, BadRow)
            and self.guard.credential(each.sample, each.row.found.detail) is not None
            for each in decided
        )


def _is_removed_by_people(decided: DecidedRow) -> bool:
    return decided.person is not None and decided.decision == "FP"


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
    with open_outputs(request, report, deciding, open_stdout) as sinks:
        scorer = load_scorer(model.final)
        started, first, by_model, tally = time.monotonic(), FirstReading(), Tally(), Tally()
        credentials = 0
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
                credentials += settled.credentials(decided)
        sinks.end(tally)
        seconds = time.monotonic() - started
        known = write_baseline(sinks.baseline, report, scripts) if sinks.baseline else None
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
        credentials_by_people=credentials,
        baseline=baseline,
        baseline_written=known,
    )


def _rows(report: GlitchReport, baseline: Baseline | None) -> Iterator[Row]:
    """The rows to judge: all, or those that a baseline does not know."""
    rows = read_rows(report)
    return baseline.only_new(rows) if baseline else rows
