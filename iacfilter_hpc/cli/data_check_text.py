"""The report of iacfilter-data check for a person."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_findings import Found
from iacfilter_hpc.cli.data_tables import balance_table, plain
from iacfilter_hpc.detections.balance import count_labels
from iacfilter_hpc.detections.duplicates import KINDS, MEANING
from iacfilter_hpc.detections.leakage import DataFile, Place


def sections(found: Found, show: int) -> list[str]:
    """The parts of the report for a person; `show` pairs of each kind."""
    parts = [_files_table(found.files), balance_table(found.files)]
    if found.repeats:
        parts.append("Inside one file:\n" + _repeats_table(found))
        parts.append(_repeats_text(found, show))
    if found.lengths:
        parts.append(_lengths_table(found))
    if len(found.files) > 1:
        parts.append(_leaks_text(found, show))
    return parts


def _files_table(files: Sequence[DataFile]) -> str:
    columns = ["file", "samples", "TP", "FP", "unlabelled", "scripts", "groups"]
    rows = []
    for file in files:
        counts = count_labels(file.samples)
        scripts = {(sample.repo, sample.file) for sample in file.samples}
        groups = {sample.group for sample in file.samples}
        numbers = (counts.samples, counts.tp, counts.fp, counts.unlabelled)
        rows.append([file.name, *map(str, (*numbers, len(scripts), len(groups)))])
    return terminal.table(columns, rows, columns[1:])


def _repeats_table(found: Found) -> str:
    columns = ["file", "same", "groups", "beyond the first", "with both labels"]
    rows = [
        [
            found.files[repeats.data].name,
            repeats.kind,
            str(len(repeats.each)),
            str(repeats.surplus),
            str(repeats.contradictions),
        ]
        for repeats in found.repeats
    ]
    return terminal.table(columns, rows, columns[2:])


def _repeats_text(found: Found, show: int) -> str:
    """The places of what is held twice, those with both labels first."""
    lines = []
    for repeats in found.repeats:
        lines.append(f"{found.files[repeats.data].name}, {MEANING[repeats.kind]}:")
        for repeat in repeats.each[:show]:
            both = "both labels: " if repeat.contradictory else ""
            shown = [_labelled(found, place) for place in repeat.places[: max(2, show)]]
            more = len(repeat.places) - len(shown)
            lines.append(f"  {both}{'  =  '.join(shown)}" + (f" and {more} more" if more else ""))
        if len(repeats.each) > show:
            lines.append(f"  ... and {len(repeats.each) - show} more")
    return "\n".join(lines)


def _labelled(found: Found, place: Place) -> str:
    return f"{place.sample.label or 'unlabelled'} {_place(found, place)}"


def _lengths_table(found: Found) -> str:
    measure = found.measure
    assert measure is not None, "lengths come from a model"
    columns = ["file", "p50", "p90", "p99", "max", "over", "cut", "tokens cut", "lines cut"]
    rows = [
        [
            file.name,
            *map(str, (of.p50, of.p90, of.p99, of.longest, of.over, of.cut)),
            *map(str, (of.tokens_dropped, of.lines_dropped)),
        ]
        for file, of in zip(found.files, found.lengths, strict=True)
    ]
    title = f"Tokens of {measure.model}, {measure.approach}, at most {measure.max_length}:"
    return f"{title}\n{terminal.table(columns, rows, columns[1:])}"


def _leaks_text(found: Found, show: int) -> str:
    lines = []
    for kind in KINDS:
        leaks = found.of_kind(kind)
        if not leaks:
            continue
        pairs = sum(leak.pairs for leak in leaks)
        accepted = " (accepted)" if kind in found.allowed else ""
        lines.append(f"Shared between files: {kind}, {MEANING[kind]}: {pairs} pairs{accepted}")
        each = chain.from_iterable(leak.each_pair() for leak in leaks)
        for one, other in islice(each, show):
            lines.append(f"  {_place(found, one)}  =  {_place(found, other)}")
        if pairs > show:
            lines.append(f"  ... and {pairs - show} more")
    return "\n".join(lines) or "Shared between files: nothing"


def _place(found: Found, place: Place) -> str:
    sample = place.sample
    return f"{found.files[place.data].name}:{place.row} ({plain(sample.file)}:{sample.line})"
