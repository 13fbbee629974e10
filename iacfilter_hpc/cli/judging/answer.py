"""Answer of a filtered report: warnings, text for people and one JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.judging.safety import (
    recall_document,
    recall_table,
    safety_document,
    safety_table,
    safety_warnings,
)
from iacfilter_hpc.errors import counted

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.report import Filtered
    from iacfilter_hpc.glitch.decisions import Tally
    from iacfilter_hpc.verdicts.people import People

SHOWN = 3
"""Names in one warning."""
GITHUB_TAKES = 25_000
"""Results of a run; beyond it an upload is refused. Source: docs.github.com, SARIF support."""


def warnings(done: Filtered) -> list[str]:
    """Warnings: what a person must know before trusting the result."""
    from iacfilter_hpc.glitch.checks import report_warnings, technology_warnings

    total = done.tally.total()
    found = [
        *done.threshold.warnings,
        *technology_warnings(done.request.technology),
        *report_warnings(done.report),
        *_misplaced(done),
        *safety_warnings(done),
    ]
    known = done.baseline is not None and done.baseline.rows
    # of a report that was made here it is known
    if not total.rows and not known and not done.request.made_from:
        found.append(f"{done.report.path} reports nothing: is it all that GLITCH wrote?")
    if done.baseline is not None and done.baseline.is_report:
        found.append(
            f"{done.baseline.path} is a report, which has no fingerprints: rows whose line has "
            "moved since count as new; --write-baseline makes a baseline that knows them"
        )
    if done.people is not None:
        found += _of_people(done, done.people)
    if odd := done.scripts.latin1:
        read = counted(len(odd), "script is not UTF-8, and was", "scripts are not UTF-8, and were")
        found.append(f"{read} read as Latin-1: {some(odd)}")
    if done.log is not None and done.log.results > GITHUB_TAKES:
        found.append(
            f"{done.request.sarif} has {done.log.results} results; GitHub code scanning takes "
            f"{GITHUB_TAKES}"
        )
    return found


def _of_people(done: Filtered, people: People) -> Iterator[str]:
    """What people's verdicts have done, or can do no more, that must not pass unseen."""
    if count := done.credentials_by_people:
        rows = counted(
            count,
            "row that looks like a live credential is",
            "rows that look like live credentials are",
        )
        yield f"{rows} removed, as people have called them false alarms: see {people.path}"
    if lost := people.lost:
        said = counted(
            lost,
            "verdict of people who did not call it a false alarm holds",
            "verdicts of people who did not call it a false alarm hold",
        )
        yield f"{said} no more, and no line is known for it: look again at what {people.path} says"


def _misplaced(done: Filtered) -> Iterator[str]:
    """Rows that found no script, or another one: the folder or the prefix may be wrong."""
    from iacfilter_hpc.glitch.reasons import Cause

    rows = done.tally.total().rows
    folder, prefix = done.scripts.folder, done.scripts.prefix or "no prefix"
    # Of all causes those that a wrong --scripts or --path-prefix has: rows are then kept unjudged,
    # and the result looks careful where nothing was filtered.
    for cause, why in (
        (Cause.MISSING, f"their file is missing below {folder}, for paths below {prefix}"),
        (Cause.OUTSIDE, f"their path is not below {prefix}, or leads out of {folder}"),
        (
            Cause.MISMATCH,
            f"the line does not hold what GLITCH reports, in the files of {folder} for paths below "
            f"{prefix}",
        ),
    ):
        if count := done.tally.because(cause):
            yield f"{count} of {rows} rows are kept because {why}: see --scripts and --path-prefix"


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(ascii(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def document(done: Filtered) -> dict[str, object]:
    """The JSON document of a filtered report."""
    total, log = done.tally.total(), done.log
    return {
        "report": str(done.request.shown),
        "form": done.report.format,
        "prefix": done.scripts.prefix,
        "model": {
            "name": done.model.name,
            "directory": str(done.model.final),
            "approach": done.approach,
        },
        "threshold": {
            "value": done.threshold.value,
            "mode": done.threshold.mode,
            "origin": done.threshold.origin,
            "recall": recall_document(done.threshold.promise),
        },
        "rows": {"read": total.rows, "kept": total.kept, **asdict(total)},
        "findings": done.findings,
        "by_smell": {smell: asdict(counts) for smell, counts in done.tally.by_smell().items()},
        "unjudged": done.tally.reasons(),
        "safety": safety_document(done),
        **_memory(done),
        "outputs": {
            "rows": _text(done.request.output),
            "sarif": _text(done.request.sarif),
            "sarif_results": None if log is None else log.results,
            "sarif_suppressed": None if log is None else log.suppressed,
            "code_quality": _text(done.request.code_quality),
            "summary": _text(done.request.summary),
        },
        "seconds": round(done.seconds, 3),
        "rows_per_second": round(done.rows_a_second, 1),
        "warnings": warnings(done),
    }


def _memory(done: Filtered) -> dict[str, object]:
    """What people and a baseline have said of the rows."""
    total, people, baseline = done.tally.by_people(), done.people, done.baseline
    verdicts = people and {
        "file": str(people.path),
        "standing": people.standing,
        "expired": {why.name.lower(): count for why, count in people.expired.items()},
    }
    known = baseline and {
        "file": str(baseline.path),
        "known_rows": baseline.rows,
        "gone": baseline.gone,
    }
    return {
        "by_people": {
            "tp": total.tp,
            "fp": total.fp,
            "unsure": total.unjudged,
            "live_credentials_removed": done.credentials_by_people,
        },
        "verdicts": verdicts,
        "baseline": known,
    }


def render(done: Filtered) -> str:
    """The text of a filtered report, for people."""
    total, prefix = done.tally.total(), done.scripts.prefix
    below = f"paths below {terminal.plain(prefix)}" if prefix else "paths as they are"
    lines = [
        f"{done.request.shown}: {counted(total.rows, 'row')} of form {done.report.format}, {below}",
        f"  model      {done.model.name} ({done.model.final})",
        f"  threshold  p(TP) >= {done.threshold.value:.4f}, {done.threshold.origin}",
        f"  kept       {total.kept}: {total.tp} judged TP, {total.unjudged} not judged",
        f"  {'marked FP ' if done.request.annotate else 'removed   '} {total.fp}",
        *_remembered(done),
        *_counted_findings(done),
        *(f"  written    {written}" for written in _written(done)),
        f"  speed      {done.rows_a_second:.0f} rows a second, {done.seconds:.1f} s",
        "",
        _by_smell(done.tally),
    ]
    if done.threshold.promise is not None and done.threshold.promise.found:
        lines += ["", recall_table(done.threshold.promise)]
    if reasons := done.tally.reasons():
        lines += ["", safety_table(done)]
        rows = [[str(count), terminal.plain(reason)] for reason, count in reasons.items()]
        lines += ["", terminal.table(["rows", "not judged because"], rows, ["rows"])]
    return "\n".join(lines)


def _remembered(done: Filtered) -> Iterator[str]:
    total, people, baseline = done.tally.by_people(), done.people, done.baseline
    if people is not None:
        yield f"  by people  {total.tp} TP, {total.fp} FP, {total.unjudged} unsure"
        yield f"  verdicts   {people.standing} standing in {people.path}"
        for why, count in people.expired.items():
            yield f"  expired    {counted(count, 'verdict')}: {why}"
    if baseline is not None:
        known = f"{counted(baseline.rows, 'row')} known and not shown"
        yield f"  baseline   {known}, {baseline.gone} gone since, by {baseline.path}"


def _counted_findings(done: Filtered) -> Iterator[str]:
    """How many rows count, where that is not all that are kept."""
    request = done.request
    if request.smells is not None or request.unjudged == "ignore":
        of = f" of {', '.join(sorted(request.smells))}" if request.smells else ""
        judged = " and were judged" if request.unjudged == "ignore" else ""
        yield f"  findings   {done.findings}: the rows{of} that are kept{judged}"


def _written(done: Filtered) -> list[str]:
    request = done.request
    written = [] if request.output is None else [str(request.output)]
    if request.write_baseline is not None:
        findings = counted(done.baseline_written or 0, "finding")
        written.append(f"{request.write_baseline}: a baseline of {findings}")
    if log := done.log:
        note = f", {log.suppressed} of them suppressed" if log.suppressed else ""
        written.append(f"{request.sarif}: {counted(log.results, 'result')}{note}")
    return [*written, *(str(path) for path in (request.code_quality, request.summary) if path)]


def _by_smell(tally: Tally) -> str:
    from iacfilter_hpc.glitch.decisions import OTHER
    from iacfilter_hpc.samples.smells import title_of

    rows = [
        [name if name == OTHER else title_of(name), *map(str, (c.rows, c.tp, c.fp, c.unjudged))]
        for name, c in tally.by_smell().items()
    ]
    numbers = ["rows", "TP", "FP", "not judged"]
    return terminal.table(["smell", *numbers], rows, numbers)


def _text(path: object) -> str | None:
    return None if path is None else str(path)
