"""Filter one report: check what was asked for, open every output, judge, and sum up."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.filter_checks import check_flags, check_outputs, outputs_of
from iacfilter_hpc.cli.filter_summary import Done, document, render, warnings
from iacfilter_hpc.detections.filtered import FilteredReport
from iacfilter_hpc.detections.glitch import GlitchReport, open_report
from iacfilter_hpc.detections.intake import prefix_of
from iacfilter_hpc.detections.judged import Tally
from iacfilter_hpc.detections.rows import read_rows
from iacfilter_hpc.detections.sarif import SarifLog
from iacfilter_hpc.detections.sarif_results import Judge
from iacfilter_hpc.detections.scripts import Scripts
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.files import replacing
from iacfilter_hpc.trained import Trained, find_trained

Write = Callable[[bytes], object]


def run(given: argparse.Namespace, models: Path) -> int:
    """The command, once its flags are parsed."""
    check_flags(given)
    model = find_trained(models, given.model)
    report = open_report(given.report, may_be_empty=True)
    prefix = given.path_prefix
    scripts = Scripts(given.scripts, prefix_of(report, given.scripts) if prefix is None else prefix)
    check_outputs(given, model, report, scripts)
    done = _filter(given, model, report, scripts)
    for warning in warnings(done):
        terminal.say(f"warning: {warning}")
    if given.json:
        terminal.print_json(document(done))
    else:
        terminal.say(render(done))
    kept = done.tally.total().kept
    if given.fail_on_findings and kept:
        terminal.say(f"findings: {kept} rows are kept, so --fail-on-findings ends with exit code 1")
        return 1
    return 0


def _filter(
    given: argparse.Namespace, model: Trained, report: GlitchReport, scripts: Scripts
) -> Done:
    # Where cores are shared, as on a CI runner, threads that wait in a loop take them from those
    # that compute: seven times slower, measured. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # only now: torch takes seconds to import
    from iacfilter_hpc.evaluation.cutoff import choose_cutoff
    from iacfilter_hpc.evaluation.filtering import Filter
    from iacfilter_hpc.evaluation.predict import load_scorer
    from iacfilter_hpc.training.decision import read_decision

    cutoff = choose_cutoff(
        model.final, read_decision(model.final), given.threshold, given.min_recall
    )
    judge = Judge(model.name, cutoff.value, cutoff.origin)
    with _outputs(given, report, judge) as (rows, log):
        scorer = load_scorer(model.final)
        started, tally = time.monotonic(), Tally()
        sinks = [sink for sink in (rows, log) if sink is not None]
        for sink in sinks:
            sink.begin()
        with _progress(report) as advance:
            chosen = Filter(scorer, cutoff.value, scripts, given.technology)
            for judged in chosen.judge(read_rows(report)):
                for sink in sinks:
                    sink.add(judged)
                tally.add(judged)
                advance(len(judged))
        if log is not None:
            log.end()
        seconds = time.monotonic() - started
    return Done(
        given, model, report, scripts, scorer.decision.approach, cutoff, tally, log, seconds
    )


@contextmanager
def _outputs(
    given: argparse.Namespace, report: GlitchReport, judge: Judge
) -> Iterator[tuple[FilteredReport | None, SarifLog | None]]:
    """The rows and the SARIF log, of which no file appears before all is well."""
    paths = [output.real for output in outputs_of(given)]
    with replacing(*paths) as files, report.path.open("rb") as source:
        writers: list[Write] = [file.write for file in files]
        to_rows = writers.pop(0) if given.output else None if given.json else _to_stdout(given)
        yield (
            FilteredReport(report, source, to_rows, every=given.annotate, bare=given.bare)
            if to_rows
            else None,
            SarifLog(writers[0], judge, given.omit_suppressed) if given.sarif else None,
        )


def _to_stdout(given: argparse.Namespace) -> Write:
    """Straight to the file descriptor: what cannot be written must not be tried again at exit."""
    sys.stdout.flush()
    handle = sys.stdout.fileno()

    def write(content: bytes) -> None:
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(handle, left) :]
        except BrokenPipeError as error:
            if not (given.sarif or given.fail_on_findings):
                raise
            raise IacfilterError(
                "the reader of standard output stopped before the end, so nothing is decided",
                hint="-o writes the rows to a file",
            ) from error
        except OSError as error:
            error.filename = "standard output"
            raise

    return write


@contextmanager
def _progress(report: GlitchReport) -> Iterator[Callable[[int], object]]:
    """A bar on stderr if a person looks on."""
    if not sys.stderr.isatty():
        yield lambda rows: None
        return
    from tqdm import tqdm

    with tqdm(total=sum(1 for _ in report.rows()), unit=" rows", leave=False) as bar:
        yield bar.update
