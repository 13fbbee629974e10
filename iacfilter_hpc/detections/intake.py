"""All usable detections of a report as samples, and an account of every other row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.detections.build import Unusable, build_sample
from iacfilter_hpc.detections.glitch import BadRow, Detection, GlitchReport
from iacfilter_hpc.detections.groups import Groups
from iacfilter_hpc.detections.oracle import Oracle, Verdict
from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.detections.scripts import Scripts, find_prefix


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make of a report. `smells` are the names to keep, `technology` None: by extension."""

    smells: frozenset[str]
    technology: str | None
    source: str
    oracle: Oracle | None
    groups: Groups


@dataclass(frozen=True, slots=True)
class Intake:
    """The samples in the report's order, and what became of the other rows.

    `merged` counts rows that repeat a file, line and smell; `other` rows of smells not wanted, by
    smell or by a code that is none of the nine; `latin1` and `ungrouped` are files.
    """

    samples: tuple[Sample, ...]
    rows: int
    merged: int
    other: tuple[tuple[str, int], ...]
    unusable: tuple[Unusable, ...]
    bad: tuple[BadRow, ...]
    latin1: tuple[str, ...]
    ungrouped: tuple[str, ...]


def prefix_of(report: GlitchReport, folder: Path) -> str:
    """The prefix of a report's paths that stands for the folder (see find_prefix)."""
    return find_prefix((row.path for row in report.rows() if isinstance(row, Detection)), folder)


def take_in(rows: Iterable[Detection | BadRow], scripts: Scripts, wanted: Wanted) -> Intake:
    """Make samples of a report's rows; blank lines are no rows."""
    samples: list[Sample] = []
    unusable: list[Unusable] = []
    bad: list[BadRow] = []
    other: Counter[str] = Counter()
    seen: set[tuple[str, int, str]] = set()
    count = merged = 0
    for row in rows:
        if isinstance(row, BadRow):
            if not row.is_blank:
                bad.append(row)
                count += 1
            continue
        count += 1
        if row.smell not in wanted.smells:
            other[row.smell or f"{row.code} (unknown)"] += 1
            continue
        place = (scripts.relative(row.path) or row.path, row.line, row.smell)
        if place in seen:
            merged += 1
            continue
        seen.add(place)
        made = _judged(row, scripts, wanted)
        (unusable if isinstance(made, Unusable) else samples).append(made)  # type: ignore[arg-type]
    odd = set(scripts.latin1)
    files = sorted({sample.file for sample in samples})
    return Intake(
        samples=tuple(samples),
        rows=count,
        merged=merged,
        other=tuple(sorted(other.items())),
        unusable=tuple(unusable),
        bad=tuple(bad),
        latin1=tuple(file for file in files if file in odd),
        ungrouped=tuple(file for file in files if wanted.groups.of(file) == Groups().rest),
    )


def _judged(detection: Detection, scripts: Scripts, wanted: Wanted) -> Sample | Unusable:
    """The sample of a detection with the oracle's label, if there is an oracle."""
    verdict: Verdict | None = None
    file = scripts.relative(detection.path)
    if wanted.oracle is not None and file is not None and detection.smell is not None:
        verdict = wanted.oracle.verdict(file, detection.line, detection.smell)
    made = build_sample(
        detection,
        scripts,
        technology=wanted.technology,
        label=verdict.label if verdict else None,
        source=wanted.source,
        confidence=verdict.confidence if verdict else None,
        groups=wanted.groups,
    )
    if isinstance(made, Sample) and wanted.oracle is not None and verdict is None:
        return Unusable(detection, "file is not in the oracle")
    return made
