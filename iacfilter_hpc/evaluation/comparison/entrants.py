"""Runs that may be compared: all that can be known of them before any sample is scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from iacfilter_hpc import runs
from iacfilter_hpc.config import RunConfig, load_config
from iacfilter_hpc.errors import IacfilterError, TrainingError
from iacfilter_hpc.evaluation.admission import Admitted, admit
from iacfilter_hpc.evaluation.comparison.past import (
    Judge,
    read_past,
    read_past_predictions,
    still_holds,
)
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.evaluation.places import cross_fits, folder_name
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.evaluation.results import METRICS
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.runs import RunRecord
from iacfilter_hpc.trained import of_run

HINT = "iacfilter-compare --fresh scores the run again, whatever is there"


@dataclass(frozen=True, slots=True)
class Reused:
    """An evaluation that was there before and still holds; `fold_seed` is that of a cross-fit."""

    directory: Path
    rows: tuple[Prediction, ...]
    samples_per_s: float
    fold_seed: int | None


@dataclass(frozen=True, slots=True)
class Entrant:
    """A run that may be compared: nothing in it speaks against it. `past` is None to score it."""

    run: RunLayout
    record: RunRecord
    config: RunConfig
    admitted: Admitted
    past: Reused | None


def enter(run: RunLayout, data: Labelled, options: EvaluateOptions, *, fresh: bool) -> Entrant:
    """See, without the model, that a run can be compared on `data`; look for an old evaluation.

    One of the same file, at the same threshold and of the same model, is used again unless `fresh`;
    so is a cross-fit of as many folds, of any seed if no seed is asked for.

    Raises:
        IacfilterError: a record of it is damaged, it has no model, or its threshold was fitted on
            some of these samples.
        DataError: the old evaluation is damaged.
    """
    # -o is where the comparison is written, and has no part in what a run has
    own = replace(options, output=None)
    try:
        admitted = admit(of_run(run), data, own)
    except TrainingError as error:
        lines = (f"{run.name}: {line}" for line in error.message.splitlines())
        raise TrainingError("\n".join(lines), hint=error.hint) from error
    past = None if fresh else _past(run, admitted, data, own)
    return Entrant(run, runs.read_record(run), _config(run), admitted, past)


def _past(
    run: RunLayout, admitted: Admitted, data: Labelled, options: EvaluateOptions
) -> Reused | None:
    """None if there is no evaluation, or only those of another model or of other data."""
    decision = admitted.decision
    judge = Judge(admitted.sha256, admitted.threshold, decision.temperature, options.cross_fit)
    for directory in _places(run, data, options):
        if not (directory / METRICS).is_file():
            continue
        past = read_past(directory, HINT)
        if not still_holds(past, data, judge):
            continue
        rows = read_past_predictions(directory, past, data, HINT)
        kept_whole = [row.group for row in rows]
        if past.cross_fit and kept_whole != [sample.group for sample in data.samples]:
            continue  # its folds kept other groups whole
        seed = past.cross_fit.seed if past.cross_fit else None
        return Reused(directory, tuple(rows), past.samples_per_s, seed)
    return None


def _places(run: RunLayout, data: Labelled, options: EvaluateOptions) -> list[Path]:
    if options.cross_fit is not None:
        return cross_fits(run.evaluation, data, options)
    return [run.evaluation / folder_name(data, options)]


def _config(run: RunLayout) -> RunConfig:
    try:
        return load_config(run)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise IacfilterError(f"{run.config} cannot be read: {error}") from error
