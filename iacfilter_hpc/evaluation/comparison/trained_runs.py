"""Systems from runs, scored here or before; runs that differ in their seed are one system."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iacfilter_hpc.evaluation.comparison.cost import Cost, cost_of
from iacfilter_hpc.evaluation.comparison.entrants import Entrant, Reused
from iacfilter_hpc.evaluation.comparison.systems import Member, Protocol, System
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.evaluation.looks import look_at, record_look
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.trained import of_run
from iacfilter_hpc.training.decision import Decision

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scored:
    """An entrant's decisions and what it has cost."""

    entrant: Entrant
    member: Member
    cost: Cost


def score_entrant(
    entrant: Entrant,
    data: Labelled,
    options: EvaluateOptions,
    accounted: Mapping[str, float],
    say: Say,
) -> Scored:
    """The decisions of a run on `data`; the look at them is logged before any score is known.

    Raises:
        DataError: prompts that cannot be made to fit the model.
    """
    own = replace(options, output=None)
    if entrant.past is not None:
        decisions = _from_past(entrant, entrant.past, data, own)
        seed = entrant.past.fold_seed
        folds = "" if seed is None else f", a cross-fit with seed {seed}"
        say(f"{entrant.run.name}: decisions of {entrant.past.directory}{folds}")
    else:
        say(f"{entrant.run.name}: scoring {len(data.samples)} samples")
        decisions = _from_model(entrant, data, own)
    decision = entrant.admitted.decision
    member = Member(
        name=entrant.run.name,
        decided=tuple(row.decision == "TP" for row in decisions.rows),
        p_tp=tuple(row.p_tp for row in decisions.rows if row.p_tp is not None),
        threshold=None if own.cross_fit else entrant.admitted.threshold,
        threshold_origin=_origin(decision, own, decisions.fold_seed),
        source=decisions.source,
        seed=entrant.config.training.seed,
        temperature=None if own.cross_fit else decision.temperature,
        look=decisions.look,
        fold_seed=decisions.fold_seed,
        warnings=tuple(entrant.admitted.overlap.warnings()),
    )
    cost = cost_of(entrant.run, entrant.config, decision, accounted, decisions.samples_per_s)
    return Scored(entrant, member, cost)


def data_of(entrant: Entrant) -> list[str | None]:
    """The sha256 of the train and the validation file of a run."""
    return [entrant.record.data_sha256.get(name) for name in ("train_file", "validation_file")]


def group_seeds(scored: Sequence[Scored], options: EvaluateOptions) -> list[System]:
    """A system each setting: its runs differ in seed, name and resources only; lowest seed first.

    The first run's name is that of the system.
    """
    settings: dict[str, list[Scored]] = defaultdict(list)
    for each in scored:
        settings[_setting(each.entrant)].append(each)
    systems = []
    for found in settings.values():
        members = sorted((each.member for each in found), key=lambda m: (m.seed or 0, m.name))
        protocol = _protocol(found, options)
        systems.append(System(members[0].name, "run", protocol, tuple(members)))
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
        return "cross-fit"
    seen = any(each.entrant.admitted.overlap.is_seen for each in found)
    return "seen" if seen else "held-out"


def _from_past(
    entrant: Entrant, past: Reused, data: Labelled, options: EvaluateOptions
) -> _Decisions:
    look = look_at(
        data,
        options,
        run=entrant.run.name,
        model=entrant.admitted.sha256,
        purpose="compare",
        fold_seed=past.fold_seed,
    )
    number = record_look(entrant.run.evaluation, look)
    source = f"{past.directory}, evaluated before"
    return _Decisions(past.rows, number, past.samples_per_s, past.fold_seed, source)


def _from_model(entrant: Entrant, data: Labelled, options: EvaluateOptions) -> _Decisions:
    # torch takes seconds to import, and a comparison of past evaluations does without
    from iacfilter_hpc.evaluation.report import evaluate

    done = evaluate(of_run(entrant.run), data.path, options, "compare")
    seed = done.cross_fit.seed if done.cross_fit else None
    source = f"{done.directory}, scored for this comparison"
    return _Decisions(done.predictions, done.look, done.samples_per_s, seed, source)


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
