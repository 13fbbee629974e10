"""Systems from runs, scored here or before; runs that differ in their seed are one system."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iacfilter_hpc import runs
from iacfilter_hpc.config import RunConfig
from iacfilter_hpc.errors import IacfilterError, TrainingError
from iacfilter_hpc.evaluation.comparison.cost import Cost, cost_of
from iacfilter_hpc.evaluation.comparison.past import (
    METRICS,
    Judge,
    read_past,
    read_past_predictions,
    still_holds,
)
from iacfilter_hpc.evaluation.comparison.systems import Member, Protocol, System
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.evaluation.looks import Look, record_look
from iacfilter_hpc.evaluation.overlap import Overlap, find_overlap, settle_threshold
from iacfilter_hpc.evaluation.places import folder_name
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.runs import RunRecord
from iacfilter_hpc.trained import of_run
from iacfilter_hpc.training.decision import Decision, read_decision
from iacfilter_hpc.training.evidence import read_seen

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Entrant:
    """A run that may be compared: nothing in it speaks against it."""

    run: RunLayout
    record: RunRecord
    config: RunConfig
    decision: Decision
    overlap: Overlap
    threshold: float


@dataclass(frozen=True, slots=True)
class Scored:
    """An entrant's decisions and what it has cost."""

    entrant: Entrant
    member: Member
    cost: Cost


def admit(run: RunLayout, data: Labelled, options: EvaluateOptions) -> Entrant:
    """See, without the model, that a run can be compared on `data`.

    Raises:
        IacfilterError: a record of it is damaged, it has no model, or its threshold was fitted on
            some of these samples.
    """
    decision = read_decision(run.final)
    overlap = find_overlap(data, read_seen(run.final), decision)
    try:
        threshold = settle_threshold(decision, overlap, data, options)
    except TrainingError as error:
        raise TrainingError(f"{run.name}: {error.message}", hint=error.hint) from error
    return Entrant(run, runs.read_record(run), _config(run), decision, overlap, threshold)


def score_entrant(
    entrant: Entrant,
    data: Labelled,
    options: EvaluateOptions,
    accounted: Mapping[str, float],
    *,
    fresh: bool,
    say: Say,
) -> Scored:
    """The decisions of a run on `data`; the look at them is logged before any score is known.

    An evaluation of the same file, at the same threshold and of the same model, is used again
    unless `fresh`; so is a cross-fit of as many folds, whatever its seed.

    Raises:
        DataError: that evaluation is damaged, or prompts cannot be made to fit the model.
    """
    own = replace(options, output=None)
    directory = entrant.run.evaluation / folder_name(data, own)
    decisions = None if fresh else _from_past(entrant, directory, data, own)
    since = "evaluated before"
    if decisions is not None:
        say(f"{entrant.run.name}: decisions of {directory}")
    else:
        since = "scored for this comparison"
        say(f"{entrant.run.name}: scoring {len(data.samples)} samples")
        decisions = _from_model(entrant, data, own)
    p_tp = tuple(row.p_tp for row in decisions.rows if row.p_tp is not None)
    member = Member(
        name=entrant.run.name,
        decided=tuple(row.decision == "TP" for row in decisions.rows),
        p_tp=p_tp,
        threshold=None if own.cross_fit else entrant.threshold,
        threshold_origin=_origin(entrant.decision, own, decisions.fold_seed),
        source=f"{directory}, {since}",
        seed=entrant.config.training.seed,
        temperature=None if own.cross_fit else entrant.decision.temperature,
        look=decisions.look,
    )
    cost = cost_of(
        entrant.run, entrant.config, entrant.decision, accounted, decisions.samples_per_s
    )
    return Scored(entrant, member, cost)


def data_of(entrant: Entrant) -> list[str | None]:
    """The sha256 of the train and the validation file of a run."""
    return [entrant.record.data_sha256.get(name) for name in ("train_file", "validation_file")]


def group_seeds(scored: Sequence[Scored], protocol: Protocol) -> list[System]:
    """A system each setting: its runs differ in seed, name and resources only; lowest seed first.

    The first run's name is that of the system.
    """
    settings: dict[str, list[Scored]] = defaultdict(list)
    for each in scored:
        settings[_setting(each.entrant)].append(each)
    systems = []
    for found in settings.values():
        members = sorted((each.member for each in found), key=lambda m: (m.seed or 0, m.name))
        systems.append(System(members[0].name, "run", protocol, tuple(members)))
    return systems


@dataclass(frozen=True, slots=True)
class _Decisions:
    rows: Sequence[Prediction]
    look: int
    samples_per_s: float | None
    fold_seed: int | None


def _from_past(
    entrant: Entrant, directory: Path, data: Labelled, options: EvaluateOptions
) -> _Decisions | None:
    """None if there is no evaluation, or one of another model or of other data."""
    if not (directory / METRICS).is_file():
        return None
    past = read_past(directory)
    folds = options.cross_fit is not None
    judge = Judge(entrant.run.final, entrant.threshold, entrant.decision.temperature, folds)
    if not still_holds(past, directory, data, judge):
        return None
    rows = read_past_predictions(directory, data)
    if folds and [row.group for row in rows] != [sample.group for sample in data.samples]:
        return None  # its folds kept other groups whole
    look = Look(
        run=entrant.run.name,
        purpose="compare",
        data=data.path,
        sha256=data.sha256,
        samples=len(data.samples),
        threshold=str(options.threshold),
    )
    number = record_look(entrant.run.evaluation, look)
    return _Decisions(rows, number, past.samples_per_s, past.fold_seed)


def _from_model(entrant: Entrant, data: Labelled, options: EvaluateOptions) -> _Decisions:
    # torch takes seconds to import, and a comparison of past evaluations does without
    from iacfilter_hpc.evaluation.report import evaluate

    done = evaluate(of_run(entrant.run), data.path, options, "compare")
    fold_seed = done.cross_fit.seed if done.cross_fit else None
    return _Decisions(done.predictions, done.look, done.samples_per_s, fold_seed)


def _config(run: RunLayout) -> RunConfig:
    import yaml

    try:
        fields = yaml.safe_load(run.config.read_text(encoding="utf-8"))
        return RunConfig.model_validate(fields)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise IacfilterError(f"{run.config} cannot be read: {error}") from error


def _setting(entrant: Entrant) -> str:
    """All that decides the result but the seed; data files count by their content."""
    values: dict[str, Any] = entrant.config.as_dict()
    del values["name"], values["resources"], values["training"]["seed"]
    for name in ("train_file", "validation_file", "test_file"):
        del values["data"][name]
    return json.dumps({**values, "data_sha256": data_of(entrant)}, sort_keys=True)


def _origin(decision: Decision, options: EvaluateOptions, fold_seed: int | None) -> str:
    if options.cross_fit is not None:
        return f"inner folds of {options.cross_fit} folds, seed {fold_seed}"
    if options.threshold == "argmax":
        return "argmax, as asked for"
    if options.threshold != "validation":
        return "a number, as asked for"
    origin = decision.validation
    return f"best F1 ({origin.f1:.3f}) on {Path(origin.file).name} (sha256 {origin.sha256[:8]})"
