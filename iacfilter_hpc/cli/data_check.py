"""iacfilter-data check: what is wrong with sample files, and what they share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_findings import Found, document, problems, sections
from iacfilter_hpc.detections.groups import read_groups, with_groups
from iacfilter_hpc.detections.leakage import DataFile, find_leaks
from iacfilter_hpc.detections.samples import read_samples
from iacfilter_hpc.errors import DataError, UsageError

if TYPE_CHECKING:
    from iacfilter_hpc.training.lengths import Lengths, Measure


def run(given: argparse.Namespace) -> int:
    """The subcommand."""
    _check(given)
    found = _find(given)
    if given.json:
        terminal.print_json(document(found))
    else:
        print("\n\n".join(sections(found, given.show)))
    if wrong := problems(found):
        raise DataError(
            "\n".join(wrong),
            hint="iacfilter-data split makes files that share nothing; --allow KIND accepts a kind",
        )
    return 0


def _check(given: argparse.Namespace) -> None:
    if given.show < 0:
        raise UsageError(f"--show {given.show} is not a number of pairs")
    if given.model and not given.approach:
        raise UsageError("--model needs --approach")
    if not given.model and (given.approach or given.max_length or given.input_fields):
        raise UsageError("--approach, --max-length and --input-fields need --model")
    if given.max_length is not None and given.max_length < 1:
        raise UsageError(f"--max-length {given.max_length} is not a number of tokens")
    if given.approach == "generative" and given.input_fields:
        raise UsageError("--input-fields is of the encoder; the generative approach reads prompts")
    if len({path.resolve() for path in given.files}) < len(given.files):
        raise UsageError("a file is named twice")


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
    from iacfilter_hpc import layers
    from iacfilter_hpc.launch import check_training_is_installed
    from iacfilter_hpc.layout import resource

    check_training_is_installed()
    # only now: transformers takes seconds to import
    from iacfilter_hpc.training.lengths import Measure, measure_lengths

    defaults = layers.from_file(resource("configs", f"{given.approach}.yaml")).values["data"]
    measure = Measure(
        model=given.model,
        approach=given.approach,
        max_length=given.max_length or defaults["max_length"],
        input_fields=tuple(given.input_fields or defaults["input_fields"] or ()),
    )
    return measure, [measure_lengths(file.samples, measure) for file in files]
