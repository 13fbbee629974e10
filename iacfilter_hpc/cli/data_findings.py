"""The report of iacfilter-data check, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_tables import balance_document, balance_table, plain
from iacfilter_hpc.detections.balance import count_labels
from iacfilter_hpc.detections.duplicates import KINDS, MEANING, Kind
from iacfilter_hpc.detections.leakage import DataFile, Leak, Place, Repeats
from iacfilter_hpc.detections.samples import sha256_of

if TYPE_CHECKING:
    from iacfilter_hpc.training.lengths import Lengths, Measure


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in the files; `lengths` is of each file, or empty without a model."""

    paths: tuple[Path, ...]
    files: tuple[DataFile, ...]
    leaks: tuple[Leak, ...]
    repeats: tuple[Repeats, ...]
    lengths: tuple[Lengths, ...]
    measure: Measure | None
    allowed: frozenset[Kind]

    @property
    def forbidden(self) -> list[Kind]:
        """The kinds of leaks that are not accepted, in order."""
        return [kind for kind in KINDS if kind not in self.allowed and self.of_kind(kind)]

    def of_kind(self, kind: Kind) -> list[Leak]:
        """The leaks of a kind."""
        return [leak for leak in self.leaks if leak.kind == kind]


def problems(found: Found) -> list[str]:
    """Why the files should not be used as they are."""
    wrong = []
    for kind in found.forbidden:
        leaks = found.of_kind(kind)
        pairs = sum(leak.pairs for leak in leaks)
        wrong.append(f"leakage: {pairs} pairs of different files have the {MEANING[kind]}")
    for file, lengths in zip(found.files, found.lengths, strict=False):
        for index, problem in lengths.no_fit:
            wrong.append(f"{file.name}:{index + 1}: {problem}")
    return wrong


def sections(found: Found, show: int) -> list[str]:
    """The parts of the report for a person; `show` pairs of each kind."""
    parts = [_files_table(found.files), balance_table(found.files)]
    if found.repeats:
        parts.append("Inside one file:\n" + _repeats_table(found))
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
            str(repeats.groups),
            str(repeats.surplus),
            str(repeats.contradictions),
        ]
        for repeats in found.repeats
    ]
    return terminal.table(columns, rows, columns[2:])


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


def document(found: Found) -> dict[str, object]:
    """The report for JSON."""
    return {
        "leakage": bool(found.forbidden),
        "files": [
            {
                "file": file.name,
                "path": str(path),
                "sha256": sha256_of(path),
                "samples": len(file.samples),
                "unlabelled": count_labels(file.samples).unlabelled,
                "counts": balance_document(file.samples),
            }
            for path, file in zip(found.paths, found.files, strict=True)
        ],
        "leaks": [_leak_document(found, leak) for leak in found.leaks],
        "repeats": [
            {
                "file": found.files[repeats.data].name,
                "kind": repeats.kind,
                "groups": repeats.groups,
                "surplus": repeats.surplus,
                "contradictions": repeats.contradictions,
            }
            for repeats in found.repeats
        ],
        "lengths": _lengths_document(found),
    }


def _leak_document(found: Found, leak: Leak) -> dict[str, object]:
    """A leak with all its samples; any two of different files are a pair."""
    return {
        "kind": leak.kind,
        "what": leak.what,
        "accepted": leak.kind in found.allowed,
        "pairs": leak.pairs,
        "samples": [
            {
                "data": found.files[place.data].name,
                "row": place.row,
                "file": place.sample.file,
                "line": place.sample.line,
                "smell": place.sample.smell,
                "label": place.sample.label,
            }
            for place in leak.places
        ],
    }


def _lengths_document(found: Found) -> list[dict[str, object]]:
    return [
        {
            "file": file.name,
            "p50": of.p50,
            "p90": of.p90,
            "p99": of.p99,
            "max": of.longest,
            "over": of.over,
            "cut": of.cut,
            "tokens_dropped": of.tokens_dropped,
            "lines_dropped": of.lines_dropped,
            "kept_over": of.kept_over,
            "no_fit": [{"row": index + 1, "problem": problem} for index, problem in of.no_fit],
        }
        for file, of in zip(found.files, found.lengths, strict=False)
    ]
