"""Where an evaluation's results and the log of looks lie."""

from __future__ import annotations

from pathlib import Path

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.trained import Trained


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
        return f"{name}-cross-fit-{options.cross_fit}"
    return name if options.threshold == "validation" else f"{name}-{options.threshold}"
