"""What came of filtering a report, for people and as a document."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_tables import plain
from iacfilter_hpc.cli.report_warnings import report_warnings, technology_warnings
from iacfilter_hpc.detections.build import MISMATCH, OUTSIDE
from iacfilter_hpc.detections.glitch import GlitchReport
from iacfilter_hpc.detections.judged import OTHER, Tally
from iacfilter_hpc.detections.sarif import SarifLog
from iacfilter_hpc.detections.scripts import MISSING, Scripts
from iacfilter_hpc.detections.smells import title_of
from iacfilter_hpc.trained import Trained

if TYPE_CHECKING:
    from iacfilter_hpc.evaluation.cutoff import Cutoff

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
        "form": done.report.form,
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
        f"{done.report.path}: {total.rows} rows of form {done.report.form}, {below}",
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
