"""iacfilter-data check: a report on sample files, what is wrong in them and what they share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data.balance import balance_table
from iacfilter_hpc.cli.data.leaks import (
    leak_document,
    leaks_text,
    place_document,
    shown_place,
    write_pairs,
)
from iacfilter_hpc.config.approaches import APPROACHES, find_approach, subjects
from iacfilter_hpc.errors import DataError, UsageError, counted, first_of
from iacfilter_hpc.glitch.checks import Output, input_problems, output_problems, refuse
from iacfilter_hpc.samples.check import Checked, check_files
from iacfilter_hpc.samples.duplicates import MEANING, Kind
from iacfilter_hpc.samples.label_counts import balance_document, count_labels
from iacfilter_hpc.samples.leakage import DataFile, Place

if TYPE_CHECKING:
    from iacfilter_hpc.config.schema import ApproachName
    from iacfilter_hpc.training.approaches.lengths import Lengths, Measure

# what to do about each kind of problem
LEAK_HINT = "iacfilter-data split makes files that share nothing; --allow KIND accepts a kind"
CONTRADICTION_HINT = "content, line, detection_span and with_context are of one place in one file"
TOO_LONG_HINT = "--max-length may be too small, or the prompts are not of this approach"


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Request to check sample files; `model` counts tokens as it does for `approach`.

    `max_length` and `input_fields` None are those of the approach; `show` clusters of each kind are
    shown to a person; `pairs` is a file for every pair.
    """

    files: tuple[Path, ...]
    groups: Path | None
    allow: frozenset[Kind]
    show: int
    pairs: Path | None
    model: str | None
    approach: ApproachName | None
    max_length: int | None
    input_fields: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Found:
    """Result of a check: `lengths` has one for each file, or is empty without a model."""

    checked: Checked
    lengths: tuple[Lengths, ...]
    measure: Measure | None


def request_of(args: argparse.Namespace) -> CheckRequest:
    """The request that the flags make."""
    return CheckRequest(
        files=tuple(args.files),
        groups=args.groups,
        allow=frozenset(args.allow),
        show=args.show,
        pairs=args.pairs,
        model=args.model,
        approach=args.approach,
        max_length=args.max_length,
        input_fields=tuple(args.input_fields) if args.input_fields else None,
    )


def problems(found: Found) -> list[DataError]:
    """Problems: why the files should not be used as they are, each kind with a hint.

    Repetitions inside one file are none: they are shown, and nothing leaks by them.
    """
    checked = found.checked
    contradictory = [f"{w.file}:{w.row}: {w.problem}" for w in checked.contradictions]
    no_fit = [
        f"{file.name}:{index + 1}: {problem}"
        # not strict: without a model there are no lengths
        for file, lengths in zip(checked.files, found.lengths, strict=False)
        for index, problem in lengths.no_fit
    ]
    parts = [
        (_leaks(checked), LEAK_HINT),
        (contradictory, CONTRADICTION_HINT),
        (no_fit, TOO_LONG_HINT),
    ]
    return [DataError("\n".join(first_of(lines)), hint=hint) for lines, hint in parts if lines]


def warnings(found: Found) -> list[str]:
    """Warnings: names that may be slips, and files of which a model seldom sees a whole sample."""
    return [*found.checked.warnings, *_cut_warnings(found)]


def _cut_warnings(found: Found) -> Iterator[str]:
    for file, of in zip(found.checked.files, found.lengths, strict=False):
        if 2 * of.cut > len(file.samples):
            yield (
                f"{file.name}: {of.cut} of {counted(len(file.samples), 'sample is', 'samples are')}"
                f" cut to fit; --max-length {of.longest} would hold all of them"
            )


def _leaks(checked: Checked) -> list[str]:
    wrong = []
    for kind in checked.forbidden:
        pairs = sum(leak.pairs for leak in checked.of_kind(kind))
        having = counted(pairs, "pair of different files has", "pairs of different files have")
        article = "" if kind == "near-context" else "the "
        wrong.append(f"leakage: {having} {article}{MEANING[kind]}")
    return wrong


def document(found: Found) -> dict[str, object]:
    """The JSON document of a check; unlike the text it has every cluster and repetition."""
    checked = found.checked
    return {
        "leakage": bool(checked.forbidden),
        "files": [
            {
                "file": file.name,
                "path": str(read.path),
                "sha256": read.sha256,
                "samples": len(file.samples),
                "unlabelled": count_labels(file.samples).unlabelled,
                "counts": balance_document(file.samples),
            }
            for read, file in zip(checked.read, checked.files, strict=True)
        ],
        "leaks": [leak_document(checked, leak) for leak in checked.leaks],
        "repeats": [
            {
                "file": checked.files[repeats.data].name,
                "kind": repeats.kind,
                "groups": len(repeats.each),
                "surplus": repeats.surplus,
                "contradictions": repeats.contradictions,
                "each": [
                    {
                        "contradictory": repeat.contradictory,
                        "samples": [place_document(checked, place) for place in repeat.places],
                    }
                    for repeat in repeats.each
                ],
            }
            for repeats in checked.repeats
        ],
        "contradictions": [asdict(wrong) for wrong in checked.contradictions],
        "lengths": _lengths_document(found),
        "warnings": warnings(found),
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
        for file, of in zip(found.checked.files, found.lengths, strict=False)
    ]


def sections(found: Found, show: int) -> list[str]:
    """The text of a check in parts; `show` is the number of clusters shown of each kind."""
    checked = found.checked
    parts = [_files_table(checked.files), balance_table(checked.files)]
    if checked.repeats:
        parts.append("Inside one file:\n" + _repeats_table(checked))
        parts.append(_repeats_text(checked, show))
    if found.lengths:
        parts.append(_lengths_table(found))
    if len(checked.files) > 1:
        parts.append(leaks_text(checked, show))
    return parts


def _files_table(files: Sequence[DataFile]) -> str:
    columns = ["file", "samples", "TP", "FP", "unlabelled", "scripts", "groups"]
    rows = []
    for file in files:
        counts = count_labels(file.samples)
        # several repositories may have a file of one name
        scripts = {(sample.repo, sample.file) for sample in file.samples}
        groups = {sample.group for sample in file.samples}
        numbers = (counts.samples, counts.tp, counts.fp, counts.unlabelled)
        rows.append([file.name, *map(str, (*numbers, len(scripts), len(groups)))])
    return terminal.table(columns, rows, columns[1:])


def _repeats_table(checked: Checked) -> str:
    columns = ["file", "same", "groups", "beyond the first", "with both labels"]
    rows = [
        [
            checked.files[repeats.data].name,
            repeats.kind,
            str(len(repeats.each)),
            str(repeats.surplus),
            str(repeats.contradictions),
        ]
        for repeats in checked.repeats
    ]
    return terminal.table(columns, rows, columns[2:])


def _repeats_text(checked: Checked, show: int) -> str:
    """The places of what is held twice, those with both labels first."""
    lines = []
    for repeats in checked.repeats:
        lines.append(f"{checked.files[repeats.data].name}, {MEANING[repeats.kind]}:")
        for repeat in repeats.each[:show]:
            both = "both labels: " if repeat.contradictory else ""
            # one place alone would be no repetition
            shown = [_labelled(checked, place) for place in repeat.places[: max(2, show)]]
            more = len(repeat.places) - len(shown)
            lines.append(f"  {both}{'  =  '.join(shown)}" + (f" and {more} more" if more else ""))
        if len(repeats.each) > show:
            lines.append(f"  ... and {len(repeats.each) - show} more")
    return "\n".join(lines)


def _labelled(checked: Checked, place: Place) -> str:
    return f"{place.sample.label or 'unlabelled'} {shown_place(checked, place)}"


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
        for file, of in zip(found.checked.files, found.lengths, strict=True)
    ]
    title = f"Tokens of {measure.model}, {measure.approach}, at most {measure.max_length}:"
    return f"{title}\n{terminal.table(columns, rows, columns[1:])}"


def run(request: CheckRequest, *, as_json: bool) -> int:
    """Run the subcommand and return 0.

    Raises:
        UsageError: flags that make no sense together; all are named.
        DataError: lines of the files are wrong, or the files should not be used as they are.
        OSError: the file of pairs cannot be written.
    """
    refuse(list(_problems(request)))
    found = _check(request)
    if request.pairs:
        write_pairs(Output("--pairs", request.pairs).real, found.checked)
    if as_json:
        terminal.print_json(document(found))
    else:
        print("\n\n".join(sections(found, request.show)))
    for warning in warnings(found):
        terminal.say(f"warning: {warning}")
    # after the report, which has the places: the errors only say why it ends with exit code 1
    if wrong := problems(found):
        raise DataError(
            "\n".join(error.message for error in wrong),
            hint="\n".join(error.hint for error in wrong if error.hint),
        )
    return 0


def _problems(request: CheckRequest) -> Iterator[UsageError]:
    """What is wrong with the flags, before anything is read."""
    yield from input_problems(*request.files)
    if request.pairs:
        yield from output_problems([Output("--pairs", request.pairs)], request.files)
    # not as types of argparse, which ends at the first: all that is wrong is named at once
    if request.show < 0:
        yield UsageError(
            f"--show {request.show} is not a number of clusters",
            hint="0 shows none, 10 is the default",
        )
    if request.model and not request.approach:
        hint = f"--approach {' or '.join(APPROACHES)}"
        yield UsageError("--model needs --approach", hint=hint)
    if not request.model and (request.approach or request.max_length or request.input_fields):
        yield UsageError(
            "--approach, --max-length and --input-fields need --model",
            hint="--model counts tokens; without it none are counted",
        )
    if request.max_length is not None and request.max_length < 1:
        yield UsageError(
            f"--max-length {request.max_length} is not a number of tokens",
            hint="it takes 1 or more",
        )
    entry = find_approach(request.approach) if request.approach else None
    if entry and request.input_fields and not entry.reads_fields:
        readers = subjects(lambda other: other.reads_fields)
        reading = [name for name, other in APPROACHES.items() if other.reads_fields]
        yield UsageError(
            f"--input-fields is for {readers}; {entry.subject} reads prompts",
            hint=f"leave it out, or use --approach {' or '.join(reading)}",
        )
    # resolved: a link to the other file shares all of it as well
    if len({path.resolve() for path in request.files}) < len(request.files):
        yield UsageError("a file is named twice", hint="all of it would be shared")


def _check(request: CheckRequest) -> Found:
    checked = check_files(request.files, request.groups, request.allow)
    if request.model is None or request.approach is None:
        return Found(checked, (), None)
    measure, lengths = _lengths(request, request.model, request.approach, checked.files)
    return Found(checked, tuple(lengths), measure)


def _lengths(
    request: CheckRequest, model: str, approach: ApproachName, files: Sequence[DataFile]
) -> tuple[Measure, list[Lengths]]:
    from iacfilter_hpc.config import layers
    from iacfilter_hpc.config.extras import check_training_is_installed

    check_training_is_installed()
    # What is not here is said at once: without a network, a hub is asked for most of a minute.
    # huggingface_hub reads this when it is imported.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # only now: transformers takes seconds to import
    from iacfilter_hpc.training.approaches.lengths import Measure, measure_lengths

    # read, not repeated here: defaults stand in the approach's YAML alone
    defaults = layers.from_file(find_approach(approach).defaults).values["data"]
    measure = Measure(
        model=model,
        approach=approach,
        max_length=request.max_length or defaults["max_length"],
        input_fields=tuple(request.input_fields or defaults["input_fields"] or ()),
    )
    return measure, [measure_lengths(file.samples, measure) for file in files]
