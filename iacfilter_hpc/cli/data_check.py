"""iacfilter-data check: what is wrong with sample files, and what they share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_check_document import document
from iacfilter_hpc.cli.data_check_text import sections
from iacfilter_hpc.cli.data_findings import Found, problems
from iacfilter_hpc.cli.outputs import input_problems, refuse
from iacfilter_hpc.detections.groups import read_groups, with_groups
from iacfilter_hpc.detections.leakage import DataFile, find_leaks
from iacfilter_hpc.detections.samples import read_samples
from iacfilter_hpc.errors import DataError, UsageError

if TYPE_CHECKING:
    from iacfilter_hpc.training.lengths import Lengths, Measure


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
        yield UsageError("--model needs --approach", hint="--approach generative or encoder")
    if not given.model and (given.approach or given.max_length or given.input_fields):
        yield UsageError(
            "--approach, --max-length and --input-fields need --model",
            hint="--model counts tokens; without it none are counted",
        )
    if given.max_length is not None and given.max_length < 1:
        yield UsageError(
            f"--max-length {given.max_length} is not a number of tokens", hint="1 or more"
        )
    if given.approach == "generative" and given.input_fields:
        yield UsageError(
            "--input-fields is of the encoder; the generative approach reads prompts",
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
    from iacfilter_hpc import layers
    from iacfilter_hpc.launch import check_training_is_installed
    from iacfilter_hpc.layout import resource

    check_training_is_installed()
    # What is not here is said at once: without a network, a hub is asked for most of a minute.
    # huggingface_hub reads this when it is imported.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
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
