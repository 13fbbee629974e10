"""iacfilter-data check: what is wrong with sample files, and what they share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data.tables import balance_document, balance_table, plain
from iacfilter_hpc.cli.outputs import input_problems, refuse
from iacfilter_hpc.config.approaches import APPROACHES, find_approach, subjects
from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.samples.consistency import contradictions_in, unknown_names
from iacfilter_hpc.samples.duplicates import KINDS, MEANING, Kind
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.label_counts import count_labels
from iacfilter_hpc.samples.leakage import DataFile, Leak, Place, Repeats, find_leaks
from iacfilter_hpc.samples.sample import read_samples, sha256_of

if TYPE_CHECKING:
    from iacfilter_hpc.training.approaches.lengths import Lengths, Measure

SPLIT = "iacfilter-data split makes files that share nothing; --allow KIND accepts a kind"
ONE_PLACE = "content, line, detection_span and with_context are of one place in one file"
TOO_LONG = "--max-length may be too small, or the prompts are not of this approach"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A sample that contradicts itself: its file, its line there from 1, and how."""

    file: str
    row: int
    problem: str


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
    def contradictions(self) -> list[Wrong]:
        """Samples whose fields cannot be of one place, in the files' order."""
        return [
            Wrong(file.name, row, problem)
            for file in self.files
            for row, sample in enumerate(file.samples, start=1)
            for problem in contradictions_in(sample)
        ]

    @property
    def warnings(self) -> list[str]:
        """What may be a slip, and is none to somebody who knows better."""
        return [
            f"{file.name}: {text}" for file in self.files for text in unknown_names(file.samples)
        ]

    @property
    def forbidden(self) -> list[Kind]:
        """The kinds of leaks that are not accepted, in order."""
        return [kind for kind in KINDS if kind not in self.allowed and self.of_kind(kind)]

    def of_kind(self, kind: Kind) -> list[Leak]:
        """The leaks of a kind."""
        return [leak for leak in self.leaks if leak.kind == kind]


def problems(found: Found) -> list[DataError]:
    """Why the files should not be used as they are, each kind with what to do about it."""
    contradictory = [f"{w.file}:{w.row}: {w.problem}" for w in found.contradictions]
    no_fit = [
        f"{file.name}:{index + 1}: {problem}"
        for file, lengths in zip(found.files, found.lengths, strict=False)
        for index, problem in lengths.no_fit
    ]
    parts = [(_leaks(found), SPLIT), (contradictory, ONE_PLACE), (no_fit, TOO_LONG)]
    return [DataError("\n".join(lines), hint=hint) for lines, hint in parts if lines]


def _leaks(found: Found) -> list[str]:
    wrong = []
    for kind in found.forbidden:
        pairs = sum(leak.pairs for leak in found.of_kind(kind))
        wrong.append(f"leakage: {pairs} pairs of different files have the {MEANING[kind]}")
    return wrong


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
                "groups": len(repeats.each),
                "surplus": repeats.surplus,
                "contradictions": repeats.contradictions,
                "each": [
                    {
                        "contradictory": repeat.contradictory,
                        "samples": [_place_document(found, place) for place in repeat.places],
                    }
                    for repeat in repeats.each
                ],
            }
            for repeats in found.repeats
        ],
        "contradictions": [asdict(wrong) for wrong in found.contradictions],
        "lengths": _lengths_document(found),
        "warnings": found.warnings,
    }


def _leak_document(found: Found, leak: Leak) -> dict[str, object]:
    """A leak with all its samples; any two of different files are a pair."""
    return {
        "kind": leak.kind,
        "what": leak.what,
        "accepted": leak.kind in found.allowed,
        "pairs": leak.pairs,
        "samples": [_place_document(found, place) for place in leak.places],
    }


def _place_document(found: Found, place: Place) -> dict[str, object]:
    return {
        "data": found.files[place.data].name,
        "row": place.row,
        "file": place.sample.file,
        "line": place.sample.line,
        "smell": place.sample.smell,
        "label": place.sample.label,
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


def run(given: argparse.Namespace) -> int:
    """The subcommand."""
    refuse(list(_problems(given)))
    found = _find(given)
    if given.json:
        terminal.print_json(document(found))
    else:
        print("\n\n".join(sections(found, given.show)))
    for warning in found.warnings:
        terminal.say(f"warning: {warning}")
    if wrong := problems(found):
        raise DataError(
            "\n".join(error.message for error in wrong),
            hint="\n".join(error.hint for error in wrong if error.hint),
        )
    return 0


def _problems(given: argparse.Namespace) -> Iterator[UsageError]:
    """What is wrong with the flags, before anything is read."""
    yield from input_problems(*given.files)
    if given.show < 0:
        yield UsageError(
            f"--show {given.show} is not a number of pairs", hint="0 shows none, 10 is the default"
        )
    if given.model and not given.approach:
        hint = f"--approach {' or '.join(APPROACHES)}"
        yield UsageError("--model needs --approach", hint=hint)
    if not given.model and (given.approach or given.max_length or given.input_fields):
        yield UsageError(
            "--approach, --max-length and --input-fields need --model",
            hint="--model counts tokens; without it none are counted",
        )
    if given.max_length is not None and given.max_length < 1:
        yield UsageError(
            f"--max-length {given.max_length} is not a number of tokens", hint="1 or more"
        )
    entry = find_approach(given.approach) if given.approach else None
    if entry and given.input_fields and not entry.reads_fields:
        readers = subjects(lambda other: other.reads_fields)
        yield UsageError(
            f"--input-fields is of {readers}; {entry.subject} reads prompts",
            hint="leave it away, or use --approach encoder",
        )
    if len({path.resolve() for path in given.files}) < len(given.files):
        yield UsageError("a file is named twice", hint="all of it would be shared")


def _find(given: argparse.Namespace) -> Found:
    files = _read(given.files, given.groups)
    leaks, repeats = find_leaks(files)
    measure, lengths = _lengths(given, files) if given.model else (None, [])
    return Found(
        paths=tuple(given.files),
        files=tuple(files),
        leaks=tuple(leaks),
        repeats=tuple(repeats),
        lengths=tuple(lengths),
        measure=measure,
        allowed=frozenset(given.allow),
    )


def _read(paths: Sequence[Path], groups: Path | None) -> list[DataFile]:
    """All files, or every problem of all of them."""
    origins = read_groups(groups) if groups else None
    names = [path.name for path in paths]
    files: list[DataFile] = []
    errors: list[DataError] = []
    for path in paths:
        try:
            samples = read_samples(path, unlabelled=True)
        except DataError as error:
            errors.append(error)
            continue
        if origins:
            samples = with_groups(samples, origins)
        name = path.name if names.count(path.name) == 1 else str(path)
        files.append(DataFile(name, tuple(samples)))
    if errors:
        raise DataError("\n".join(error.message for error in errors), hint=errors[0].hint)
    return files


def _lengths(given: argparse.Namespace, files: Sequence[DataFile]) -> tuple[Measure, list[Lengths]]:
    from iacfilter_hpc.config import layers
    from iacfilter_hpc.launch.submission import check_training_is_installed

    check_training_is_installed()
    # What is not here is said at once: without a network, a hub is asked for most of a minute.
    # huggingface_hub reads this when it is imported.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # only now: transformers takes seconds to import
    from iacfilter_hpc.training.approaches.lengths import Measure, measure_lengths

    defaults = layers.from_file(find_approach(given.approach).defaults).values["data"]
    measure = Measure(
        model=given.model,
        approach=given.approach,
        max_length=given.max_length or defaults["max_length"],
        input_fields=tuple(given.input_fields or defaults["input_fields"] or ()),
    )
    return measure, [measure_lengths(file.samples, measure) for file in files]
