"""Where an evaluation's results and the log of looks lie."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.trained import Trained

CROSS_FIT = "-cross-fit-{}-seed-{}"


def results_directory(model: Trained, options: EvaluateOptions) -> Path:
    """Below which results are written, a folder an evaluation.

    Raises:
        UsageError: the model lies in no run, and no other place is named.
    """
    if options.output is not None:
        return options.output
    if model.run is None:
        raise UsageError(
            f"{model.final} lies in no run, so nothing says where to write",
            hint="-o DIR names a directory",
        )
    return model.run.evaluation


def looks_directory(model: Trained, options: EvaluateOptions) -> Path:
    """Where looks.jsonl lies: a run keeps its own, wherever results are written."""
    return results_directory(model, options) if model.run is None else model.run.evaluation


def folder_name(data: Labelled, options: EvaluateOptions) -> str:
    """The folder of one file's results; what is not the run's own decision is in its name."""
    name = f"{data.path.stem}-{data.sha256[:8]}"
    if options.cross_fit is not None:
        return f"{name}{CROSS_FIT.format(options.cross_fit, options.used_seed)}"
    return name if options.threshold == "validation" else f"{name}-{options.threshold}"


def cross_fits(evaluation: Path, data: Labelled, options: EvaluateOptions) -> list[Path]:
    """The folders of cross-fits of this data that these options allow, lowest seed first.

    Any seed is allowed where none was asked for.
    """
    if options.seed is not None or not evaluation.is_dir():
        return [evaluation / folder_name(data, options)]
    start = f"{data.path.stem}-{data.sha256[:8]}"
    pattern = re.compile(re.escape(start) + CROSS_FIT.format(options.cross_fit, r"(\d+)"))
    found = [(pattern.fullmatch(path.name), path) for path in evaluation.iterdir()]
    return [path for _, path in sorted((int(match[1]), path) for match, path in found if match)]


def make_writable(directory: Path, names: Sequence[str]) -> None:
    """Make a directory, and see that files of these names can be written into it.

    Raises:
        UsageError: they cannot, which nobody wants to hear after hours of work.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be written to: {error.strerror}", hint="-o DIR names another place"
        ) from error
    for path in (directory / name for name in names):
        if path.is_dir():
            raise UsageError(
                f"{path} is a directory, where a file is to be written",
                hint="-o DIR names another place",
            )
