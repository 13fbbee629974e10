"""iacfilter-data weak-label: samples labelled by functions, and what each function votes on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import DataError, UsageError, counted
from iacfilter_hpc.glitch.checks import Output, input_problems, output_problems, refuse
from iacfilter_hpc.labelling.label_model import FunctionReport, WeakLabel, WeakLabels, weak_labels
from iacfilter_hpc.labelling.user_functions import all_functions, read_patterns
from iacfilter_hpc.samples.label_counts import count_labels
from iacfilter_hpc.samples.sample import Sample, read_samples, write_samples

SOURCE = "labelling-functions"


@dataclass(frozen=True, slots=True)
class WeakLabelRequest:
    """Request to label samples by functions; without `output` only the functions are told of."""

    samples: Path
    output: Path | None
    functions: Path | None
    min_confidence: float


def request_of(args: argparse.Namespace) -> WeakLabelRequest:
    """The request that the flags make."""
    return WeakLabelRequest(args.samples, args.output, args.functions, args.min_confidence)


def run(request: WeakLabelRequest, *, as_json: bool) -> int:
    """Run the subcommand and return 0.

    Raises:
        UsageError: flags that make no sense together; all are named.
        DataError: samples or functions cannot be read, or no label would be left.
    """
    refuse(list(_problems(request)))
    patterns = [] if request.functions is None else read_patterns(request.functions)
    samples = read_samples(request.samples, unlabelled=True)
    found = weak_labels(all_functions(patterns), samples)
    labelled = list(_labelled(samples, found, request.min_confidence))
    if request.output is not None:
        if not labelled:
            raise DataError(
                f"no sample of {request.samples} has a label with a confidence of "
                f"{request.min_confidence:g}, so {request.output} would be empty",
                hint="lower --min-confidence, or add --functions of your own",
            )
        write_samples(Output("--output", request.output).real, labelled)
    if as_json:
        terminal.print_json(_document(request, samples, labelled, found))
    else:
        print(_render(request, samples, labelled, found))
    return 0


def _problems(request: WeakLabelRequest) -> Iterator[UsageError]:
    yield from input_problems(request.samples)
    if request.functions is not None and not request.functions.is_file():
        yield UsageError(f"--functions {request.functions} is not a file")
    if request.output is not None:
        inputs = [path for path in (request.samples, request.functions) if path is not None]
        yield from output_problems([Output("--output", request.output)], inputs)


def _labelled(samples: list[Sample], found: WeakLabels, min_confidence: float) -> Iterator[Sample]:
    for sample, weak in zip(samples, found.labels, strict=True):
        if weak.label is not None and weak.confidence >= min_confidence:
            yield _with_label(sample, weak)


def _with_label(sample: Sample, weak: WeakLabel) -> Sample:
    # rounded: more digits would tell of the arithmetic, not of the label
    return replace(sample, label=weak.label, confidence=round(weak.confidence, 4), source=SOURCE)


def _document(
    request: WeakLabelRequest, samples: list[Sample], labelled: list[Sample], found: WeakLabels
) -> dict[str, object]:
    counts = count_labels(labelled)
    return {
        "samples": len(samples),
        "output": None if request.output is None else str(request.output),
        "tp": counts.tp,
        "fp": counts.fp,
        "left_out": len(samples) - len(labelled),
        "functions": [
            {
                "name": each.function.name,
                "about": each.function.about,
                "vote": each.function.vote,
                "smells": list(each.function.smells),
                "votes": each.votes,
                "conflicts": each.conflicts,
                "right": each.right,
                "estimated": each.estimated,
            }
            for each in found.reports
        ],
    }


def _render(
    request: WeakLabelRequest, samples: list[Sample], labelled: list[Sample], found: WeakLabels
) -> str:
    counts = count_labels(labelled)
    columns = ["FUNCTION", "VOTE", "VOTES", "AGAINST", "RIGHT", "ESTIMATED"]
    rows = [_row(each) for each in found.reports]
    written = "Would label" if request.output is None else f"Wrote {request.output}:"
    return "\n".join(
        [
            terminal.table(columns, rows, columns[2:]),
            "",
            "VOTES: samples it does not abstain on. AGAINST: another function votes otherwise.",
            "RIGHT: votes that are the labels in the file. ESTIMATED: what the label model takes "
            "it for.",
            f"{written} {counted(len(labelled), 'sample')} of {len(samples)} "
            f"({counts.tp} TP, {counts.fp} FP); the others have no votes, or none sure enough",
        ]
    )


def _row(report: FunctionReport) -> list[str]:
    return [
        report.function.name,
        report.function.vote,
        str(report.votes),
        str(report.conflicts),
        _share(report.right),
        _share(report.estimated),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
