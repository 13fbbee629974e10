"""Runs as systems, scored here or before; runs that differ in their seed are one system."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iacfilter_hpc.comparison.cost import Cost, cost_of
from iacfilter_hpc.comparison.past_evaluations import (
    CurrentModel,
    read_past,
    read_past_predictions,
    still_holds,
)
from iacfilter_hpc.comparison.systems import Member, Protocol, System, SystemKind
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.config.schema import RunConfig, read_config
from iacfilter_hpc.errors import TrainingError, counted
from iacfilter_hpc.evaluation.admission import Admitted, admit
from iacfilter_hpc.evaluation.crossfit import Say
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.evaluation.results import METRICS_FILE, cross_fits, folder_name
from iacfilter_hpc.evaluation.test_set_log import look_at, record_look
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import RunRecord
from iacfilter_hpc.trained_model.find import of_run

HINT = "iacfilter-compare --fresh scores the run again, whatever is there"


@dataclass(frozen=True, slots=True)
class ReusedEvaluation:
    """Evaluation that was there before and still holds; `fold_seed` is that of a cross-fit."""

    directory: Path
    rows: tuple[Prediction, ...]
    samples_per_s: float
    fold_seed: int | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Candidate: a run that nothing bars from the comparison. `past` is None to score it."""

    run: RunLayout
    record: RunRecord
    config: RunConfig
    admitted: Admitted
    past: ReusedEvaluation | None


def admit_candidate(
    run: RunLayout, data: Labelled, options: EvaluateOptions, *, fresh: bool
) -> Candidate:
    """Candidate of a run, checked without its model; an old evaluation is looked for.

    One of the same file, at the same threshold and of the same model, is used again unless `fresh`;
    so is a cross-fit of as many folds, of any seed if no seed is asked for.

    Raises:
        IacfilterError: a record of it is damaged, it has no model, or its threshold was fitted on
            some of these samples.
        DataError: the old evaluation is damaged.
    """
    # --output is where the comparison is written, and has no part in what a run has
    own = replace(options, output=None)
    try:
        admitted = admit(of_run(run), data, own)
    except TrainingError as error:
        # several runs are admitted together, and a message about samples names none of them
        lines = (f"{run.name}: {line}" for line in error.message.splitlines())
        raise TrainingError("\n".join(lines), hint=error.hint) from error
    past = None if fresh else _past(run, admitted, data, own)
    return Candidate(run, records.read_record(run), read_config(run), admitted, past)


def _past(
    run: RunLayout, admitted: Admitted, data: Labelled, options: EvaluateOptions
) -> ReusedEvaluation | None:
    """None if there is no evaluation, or only those of another model or of other data."""
    decision = admitted.decision
    model = CurrentModel(
        sha256=admitted.sha256,
        threshold=admitted.threshold,
        temperature=decision.temperature,
        folds=options.cross_fit,
    )
    # one that no longer holds is no error, the run is scored again; a damaged one is, since whoever
    # relies on it should know: --fresh passes it by
    for directory in _directories(run, data, options):
        if not (directory / METRICS_FILE).is_file():
            continue
        past = read_past(directory, HINT)
        if not still_holds(past, data, model):
            continue
        rows = read_past_predictions(directory, past, data, HINT)
        kept_whole = [row.group for row in rows]
        if past.cross_fit and kept_whole != [sample.group for sample in data.samples]:
            continue  # its folds kept other groups whole
        seed = past.cross_fit.seed if past.cross_fit else None
        return ReusedEvaluation(directory, tuple(rows), past.samples_per_s, seed)
    return None


def _directories(run: RunLayout, data: Labelled, options: EvaluateOptions) -> list[Path]:
    if options.cross_fit is not None:
        return cross_fits(run.evaluation, data, options)
    return [run.evaluation / folder_name(data, options)]


@dataclass(frozen=True, slots=True)
class Scored:
    """Decisions of a candidate, and what it has cost."""

    candidate: Candidate
    member: Member
    cost: Cost


def score_candidate(
    candidate: Candidate,
    data: Labelled,
    options: EvaluateOptions,
    accounted: Mapping[str, float],
    say: Say,
) -> Scored:
    """Decisions of a run on `data`; the look at them is logged before any score is known.

    Raises:
        DataError: prompts that cannot be made to fit the model.
    """
    own = replace(options, output=None)
    if candidate.past is not None:
        decisions = _from_past(candidate, candidate.past, data, own)
        seed = candidate.past.fold_seed
        folds = "" if seed is None else f", a cross-fit with seed {seed}"
        say(f"{candidate.run.name}: decisions of {candidate.past.directory}{folds}")
    else:
        say(f"{candidate.run.name}: scoring {counted(len(data.samples), 'sample')}")
        decisions = _from_model(candidate, data, own)
    decision = candidate.admitted.decision
    member = Member(
        name=candidate.run.name,
        decided=tuple(row.decision == "TP" for row in decisions.rows),
        # a model always gives p(TP); None is for predictions of others, which share the type
        p_tp=tuple(row.p_tp for row in decisions.rows if row.p_tp is not None),
        # a cross-fit has a threshold and a temperature in each fold
        threshold=None if own.cross_fit else candidate.admitted.threshold,
        threshold_origin=_origin(candidate.admitted, own, decisions.fold_seed),
        source=decisions.source,
        seed=candidate.config.training.seed,
        temperature=None if own.cross_fit else decision.temperature,
        look=decisions.look,
        fold_seed=decisions.fold_seed,
        # found now, not read from the old metrics.json, which other rules may have written
        warnings=tuple(candidate.admitted.overlap.warnings()),
    )
    cost = cost_of(candidate.run, candidate.config, decision, accounted, decisions.samples_per_s)
    return Scored(candidate, member, cost)


def data_of(candidate: Candidate) -> list[str | None]:
    """Hashes (sha256) of the train and the validation file of a run; None if not recorded."""
    return [candidate.record.data_sha256.get(name) for name in ("train_file", "validation_file")]


def group_seeds(scored: Sequence[Scored], options: EvaluateOptions) -> list[System]:
    """Systems of runs, one a setting: its runs differ in seed, name and resources only.

    Members stand lowest seed first, and the first one's name is that of the system.
    """
    settings: dict[str, list[Scored]] = defaultdict(list)
    for each in scored:
        # in the order of the command line, which dictionaries keep
        settings[_config_without_seed(each.candidate)].append(each)
    systems = []
    for found in settings.values():
        # the lowest seed stands for the system: a rule that no score can bend. Names decide
        # between runs of one seed, so that the order of flags does not matter
        members = sorted((each.member for each in found), key=lambda m: (m.seed or 0, m.name))
        protocol = _protocol(found, options)
        systems.append(System(members[0].name, SystemKind.RUN, protocol, tuple(members)))
    return systems


@dataclass(frozen=True, slots=True)
class _Decisions:
    rows: Sequence[Prediction]
    look: int
    samples_per_s: float
    fold_seed: int | None
    source: str


def _protocol(found: Sequence[Scored], options: EvaluateOptions) -> Protocol:
    if options.cross_fit is not None:
        return Protocol.CROSS_FIT
    # one member that knows the samples spoils the mean of all
    seen = any(each.candidate.admitted.overlap.is_seen for each in found)
    return Protocol.SEEN if seen else Protocol.HELD_OUT


def _from_past(
    candidate: Candidate, past: ReusedEvaluation, data: Labelled, options: EvaluateOptions
) -> _Decisions:
    # decisions are old, but to compare by them is another look at the same samples
    look = look_at(
        data,
        options,
        run=candidate.run.name,
        model=candidate.admitted.sha256,
        purpose="compare",
        fold_seed=past.fold_seed,
    )
    number = record_look(candidate.run.evaluation, look)
    source = f"{past.directory}, evaluated before"
    return _Decisions(past.rows, number, past.samples_per_s, past.fold_seed, source)


def _from_model(candidate: Candidate, data: Labelled, options: EvaluateOptions) -> _Decisions:
    # torch takes seconds to import, and a comparison of past evaluations does without
    from iacfilter_hpc.evaluation.evaluate import evaluate

    # evaluate logs the look itself, and writes what the next comparison can use again
    done = evaluate(of_run(candidate.run), data.path, options, "compare")
    seed = done.cross_fit.seed if done.cross_fit else None
    source = f"{done.directory}, scored for this comparison"
    return _Decisions(done.predictions, done.look, done.samples_per_s, seed, source)


def _config_without_seed(candidate: Candidate) -> str:
    """All that decides the result but the seed; data files count by their content."""
    values: dict[str, Any] = candidate.config.as_dict()
    # name and resources say where a run computes, not what
    del values["name"], values["resources"], values["training"]["seed"]
    # a copied file is the same data; training never reads the test file
    for name in ("train_file", "validation_file", "test_file"):
        del values["data"][name]
    return json.dumps({**values, "data_sha256": data_of(candidate)}, sort_keys=True)


def _origin(admitted: Admitted, options: EvaluateOptions, fold_seed: int | None) -> str:
    if options.cross_fit is not None:
        return f"inner folds of {options.cross_fit} folds, seed {fold_seed}"
    if options.threshold == "argmax":
        return "argmax, as asked for"
    if options.threshold != "validation":
        return "a number, as asked for"
    if admitted.calibration is not None:
        data = admitted.calibration.data
        return f"calibration on {Path(data.file).name} (sha256 {data.sha256[:8]})"
    origin = admitted.decision.validation
    return f"best F1 ({origin.f1:.3f}) on {Path(origin.file).name} (sha256 {origin.sha256[:8]})"
