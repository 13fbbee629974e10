"""iacfilter-filter: take the false alarms out of a GLITCH report with a trained model."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data.tables import plain
from iacfilter_hpc.cli.outputs import (
    Output,
    input_problems,
    model_problems,
    output_problems,
    refuse,
    reported_problems,
    script_problems,
    stdout_problems,
)
from iacfilter_hpc.cli.report_warnings import report_warnings, technology_warnings
from iacfilter_hpc.errors import IacfilterError, UsageError
from iacfilter_hpc.glitch.decisions import OTHER, Tally
from iacfilter_hpc.glitch.filtered import FilteredReport
from iacfilter_hpc.glitch.report import GlitchReport, open_report
from iacfilter_hpc.glitch.rows import read_rows
from iacfilter_hpc.glitch.sarif import DecidingModel, SarifLog
from iacfilter_hpc.glitch.scripts import MISSING, Scripts
from iacfilter_hpc.glitch.to_samples import MISMATCH, OUTSIDE, prefix_of
from iacfilter_hpc.runs import layout
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.samples.smells import title_of
from iacfilter_hpc.trained_model.find import Trained, find_trained

if TYPE_CHECKING:
    from iacfilter_hpc.evaluation.filter import Cutoff

# what scoring imports; DeepSpeed is no part of it
PACKAGES = "torch transformers peft datasets scipy".split()


def check_flags(given: argparse.Namespace) -> None:
    """Raise what is wrong with them, whatever model and report hold."""
    refuse(list(_problems(given)))
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise IacfilterError(
            f"{sys.executable} lacks {', '.join(missing)}",
            hint="pip install 'iacfilter-hpc[train]'",
        )


def check_outputs(
    given: argparse.Namespace, model: Trained, report: GlitchReport, scripts: Scripts
) -> None:
    """Raise UsageError if an output would replace a script of the report, or be in the model."""
    outputs = outputs_of(given)
    refuse([*model_problems(outputs, model.final), *reported_problems(outputs, report, scripts)])


def outputs_of(given: argparse.Namespace) -> list[Output]:
    """The files to be written: the rows, then the SARIF log."""
    named = (("--output", given.output), ("--sarif", given.sarif))
    return [Output(flag, path) for flag, path in named if path]


def _problems(given: argparse.Namespace) -> Iterator[UsageError]:
    yield from input_problems(given.report)
    if given.json or not given.output:
        yield from stdout_problems(given.report)
    if not given.scripts.is_dir():
        yield UsageError(
            f"--scripts {given.scripts} is not a directory", hint="name the folder GLITCH has read"
        )
    if given.technology is not None and not (
        given.technology.strip() and given.technology.isprintable()
    ):
        yield UsageError(
            f"--technology {given.technology!a} is not a name", hint="a name is a line of text"
        )
    if given.bare and given.annotate:
        yield UsageError(
            "--bare leaves away the marks that --annotate is for", hint="give one of them"
        )
    if given.omit_suppressed and not given.sarif:
        yield UsageError(
            "--omit-suppressed is about --sarif, which is not given", hint="give both or neither"
        )
    outputs = outputs_of(given)
    yield from output_problems(outputs, [given.report])
    yield from script_problems(outputs, given.scripts)


SHOWN = 3
"""Names in one warning."""
GITHUB_TAKES = 25_000
"""Results of a run; beyond it an upload is refused. Source: docs.github.com, SARIF support."""


@dataclass(frozen=True, slots=True)
class Done:
    """A report as it was filtered; `seconds` are those of judging, without loading the model."""

    given: argparse.Namespace
    model: Trained
    report: GlitchReport
    scripts: Scripts
    approach: str
    cutoff: Cutoff
    tally: Tally
    log: SarifLog | None
    seconds: float

    @property
    def rows_a_second(self) -> float:
        return self.tally.total().rows / self.seconds


def warnings(done: Done) -> list[str]:
    """What a person must know before trusting the result."""
    total = done.tally.total()
    found = [
        *done.cutoff.warnings,
        *technology_warnings(done.given.technology),
        *report_warnings(done.report),
        *_misplaced(done),
    ]
    if not total.rows:
        found.append(f"{done.report.path} reports nothing: is it all that GLITCH wrote?")
    if odd := done.scripts.latin1:
        found.append(f"{len(odd)} scripts are not UTF-8, and were read as Latin-1: {_some(odd)}")
    if done.log is not None and done.log.results > GITHUB_TAKES:
        found.append(
            f"{done.given.sarif} has {done.log.results} results; GitHub code scanning takes "
            f"{GITHUB_TAKES}"
        )
    return found


def _misplaced(done: Done) -> Iterator[str]:
    """Rows that found no script, or another one: the folder or the prefix may be wrong."""
    reasons, rows = done.tally.reasons(), done.tally.total().rows
    folder, prefix = done.scripts.folder, done.scripts.prefix or "no prefix"
    outside = sum(count for reason, count in reasons.items() if reason.startswith(OUTSIDE))
    for count, why in (
        (reasons.get(MISSING), f"their file is missing below {folder}, for paths below {prefix}"),
        (outside, f"their path is not below {prefix}, or leads out of {folder}"),
        (reasons.get(MISMATCH), f"{MISMATCH}, in the files of {folder} for paths below {prefix}"),
    ):
        if count:
            yield f"{count} of {rows} rows are kept because {why}: see --scripts and --path-prefix"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(ascii(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def document(done: Done) -> dict[str, object]:
    """The answer of --json."""
    total, log = done.tally.total(), done.log
    return {
        "report": str(done.report.path),
        "form": done.report.format,
        "prefix": done.scripts.prefix,
        "model": {
            "name": done.model.name,
            "directory": str(done.model.final),
            "approach": done.approach,
        },
        "threshold": {
            "value": done.cutoff.value,
            "mode": done.cutoff.mode,
            "origin": done.cutoff.origin,
        },
        "rows": {"read": total.rows, "kept": total.kept, **asdict(total)},
        "by_smell": {smell: asdict(counts) for smell, counts in done.tally.by_smell().items()},
        "unjudged": done.tally.reasons(),
        "outputs": {
            "rows": _text(done.given.output),
            "sarif": _text(done.given.sarif),
            "sarif_results": None if log is None else log.results,
            "sarif_suppressed": None if log is None else log.suppressed,
        },
        "seconds": round(done.seconds, 3),
        "rows_per_second": round(done.rows_a_second, 1),
        "warnings": warnings(done),
    }


def render(done: Done) -> str:
    """The same for people."""
    total, prefix = done.tally.total(), done.scripts.prefix
    below = f"paths below {plain(prefix)}" if prefix else "paths as they are"
    lines = [
        f"{done.report.path}: {total.rows} rows of form {done.report.format}, {below}",
        f"  model      {done.model.name} ({done.model.final})",
        f"  threshold  p(TP) >= {done.cutoff.value:.4f}, {done.cutoff.origin}",
        f"  kept       {total.kept}: {total.tp} judged TP, {total.unjudged} not judged",
        f"  {'marked FP ' if done.given.annotate else 'removed   '} {total.fp}",
        *(f"  written    {written}" for written in _written(done)),
        f"  speed      {done.rows_a_second:.0f} rows a second, {done.seconds:.1f} s",
        "",
        _by_smell(done.tally),
    ]
    if reasons := done.tally.reasons():
        rows = [[str(count), plain(reason)] for reason, count in reasons.items()]
        lines += ["", terminal.table(["rows", "not judged because"], rows, ["rows"])]
    return "\n".join(lines)


def _written(done: Done) -> list[str]:
    written = [] if done.given.output is None else [str(done.given.output)]
    if log := done.log:
        note = f", {log.suppressed} of them suppressed" if log.suppressed else ""
        written.append(f"{done.given.sarif}: {log.results} results{note}")
    return written


def _by_smell(tally: Tally) -> str:
    rows = [
        [name if name == OTHER else title_of(name), *map(str, (c.rows, c.tp, c.fp, c.unjudged))]
        for name, c in tally.by_smell().items()
    ]
    numbers = ["rows", "TP", "FP", "not judged"]
    return terminal.table(["smell", *numbers], rows, numbers)


def _text(path: object) -> str | None:
    return None if path is None else str(path)


Write = Callable[[bytes], object]


def run(given: argparse.Namespace, models: Path) -> int:
    """The command, once its flags are parsed."""
    check_flags(given)
    model = find_trained(models, given.model)
    report = open_report(given.report, may_be_empty=True)
    prefix = given.path_prefix
    scripts = Scripts(given.scripts, prefix_of(report, given.scripts) if prefix is None else prefix)
    check_outputs(given, model, report, scripts)
    done = _filter_report(given, model, report, scripts)
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


def _filter_report(
    given: argparse.Namespace, model: Trained, report: GlitchReport, scripts: Scripts
) -> Done:
    # Where cores are shared, as on a CI runner, threads that wait in a loop take them from those
    # that compute: seven times slower, measured. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # only now: torch takes seconds to import
    from iacfilter_hpc.evaluation.filter import Filter, choose_cutoff
    from iacfilter_hpc.evaluation.predict import load_scorer
    from iacfilter_hpc.trained_model.decision import read_decision

    cutoff = choose_cutoff(
        model.final, read_decision(model.final), given.threshold, given.min_recall
    )
    judge = DecidingModel(model.name, cutoff.value, cutoff.origin)
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
    given: argparse.Namespace, report: GlitchReport, judge: DecidingModel
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


EPILOG = """\
examples:
  iacfilter-filter --model RUN glitch.csv --scripts DIR -o filtered.csv
  iacfilter-filter --model ~/copied/final glitch.csv --scripts . -o filtered.csv --sarif out.sarif
  iacfilter-filter --model RUN glitch.csv --scripts DIR --min-recall 0.95 --annotate -o all.csv

What -o and --sarif name appears whole or not at all. Standard output cannot promise that: after an
error, what stands behind > is the beginning of the rows.
GLITCH's rows come back as they were, each followed by DECISION,P_TP: `TP,0.973124`, and for what
cannot be judged `UNJUDGED: file is missing,`. Such rows are kept. GitHub code scanning opens an
alert for every result of a SARIF file, suppressed or not: give it one made with --omit-suppressed.
The paths in it are relative to DIR, so DIR should be the repository's root.
"""


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-filter", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    made.add_argument(
        "report", type=Path, metavar="REPORT", help="GLITCH's CSV, of any of its forms"
    )
    made.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help="a run's name, its directory, or a copy of its final/",
    )
    made.add_argument(
        "--scripts", type=Path, required=True, metavar="DIR", help="the analysed scripts"
    )
    _add_threshold(made.add_mutually_exclusive_group())
    made.add_argument(
        "--technology", metavar="NAME", help="of all scripts (default: by each file's extension)"
    )
    made.add_argument(
        "--path-prefix",
        metavar="PREFIX",
        help="what the report's paths have in place of DIR (default: found)",
    )
    _add_outputs(made)
    return made


def _add_threshold(made: argparse._MutuallyExclusiveGroup) -> None:
    made.add_argument(
        "--threshold",
        type=_threshold,
        metavar="T",
        help="keep what has p(TP) >= T (default: the model's own, chosen on its validation data)",
    )
    made.add_argument(
        "--min-recall",
        type=_recall,
        metavar="R",
        help="the highest threshold that keeps this share of the real ones in the model's "
        "validation data, such as 0.95",
    )


def _add_outputs(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "-o", "--output", type=Path, metavar="CSV", help="the rows (default: standard output)"
    )
    made.add_argument(
        "--annotate", action="store_true", help="write the rows judged FP too, marked as such"
    )
    made.add_argument(
        "--bare", action="store_true", help="write rows without the columns DECISION and P_TP"
    )
    made.add_argument(
        "--sarif",
        type=Path,
        metavar="FILE",
        help="SARIF 2.1.0: everything reported, what is judged FP as suppressed",
    )
    made.add_argument(
        "--omit-suppressed", action="store_true", help="leave out of --sarif what is judged FP"
    )
    made.add_argument(
        "--fail-on-findings", action="store_true", help="exit code 1 if any row is kept"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    models = layout.models_dir(given.models_dir)
    with _ended_by_signals():
        return terminal.run(lambda: _filter(given, models))


def _filter(given: argparse.Namespace, models: Path) -> int:

    return run(given, models)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the command as Ctrl-C does: nothing half-written stays."""
    ending = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) == signal.SIG_DFL]
    before = [signal.signal(s, _interrupt) for s in ending]
    try:
        yield
    finally:
        for each, handler in zip(ending, before, strict=True):
            signal.signal(each, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _threshold(text: str) -> float:
    return _number(text, "a number between 0 and 1", lambda value: 0 < value < 1)


def _recall(text: str) -> float:
    return _number(text, "a share above 0 and up to 1", lambda value: 0 < value <= 1)


def _number(text: str, wanted: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not fits(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


if __name__ == "__main__":
    sys.exit(main())
