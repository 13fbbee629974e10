"""What came of filtering a report, for people and as a document."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_tables import plain
from iacfilter_hpc.detections.glitch import GlitchReport
from iacfilter_hpc.detections.judged import OTHER, Tally
from iacfilter_hpc.detections.sarif import SarifLog
from iacfilter_hpc.detections.scripts import Scripts
from iacfilter_hpc.detections.smells import title_of
from iacfilter_hpc.trained import Trained

if TYPE_CHECKING:
    from iacfilter_hpc.evaluation.cutoff import Cutoff

MISSING = "file is missing"
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
    found = list(done.cutoff.warnings)
    total, missing = done.tally.total(), done.tally.reasons().get(MISSING, 0)
    if missing:
        found.append(
            f"{missing} of {total.rows} rows are kept because their file is missing below "
            f"{done.scripts.folder}, for paths below {done.scripts.prefix or 'no prefix'}: "
            "see --scripts and --path-prefix"
        )
    if done.log is not None and done.log.results > GITHUB_TAKES:
        found.append(
            f"{done.given.sarif} has {done.log.results} results; GitHub code scanning takes "
            f"{GITHUB_TAKES}"
        )
    return found


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
