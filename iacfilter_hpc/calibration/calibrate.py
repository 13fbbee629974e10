"""Calibration of a model on labelled samples: checked, scored, fitted, written beside the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit

from iacfilter_hpc.calibration.card import tell_in_card
from iacfilter_hpc.calibration.fit import Fitted, Judged, fit, judge, table_of
from iacfilter_hpc.checkpoints.manifest import model_sha256
from iacfilter_hpc.config.evaluate_options import DRAWS
from iacfilter_hpc.errors import DataError, TrainingError, UsageError, counted
from iacfilter_hpc.evaluation.admission import find_overlap
from iacfilter_hpc.evaluation.bootstrap import FEWEST_GROUPS, bootstrap_scores
from iacfilter_hpc.evaluation.crossfit import INNER_FOLDS
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.evaluation.metrics import METRICS, score
from iacfilter_hpc.evaluation.predict import load_uncalibrated, own_log_odds
from iacfilter_hpc.inputs.encode import all_fitting
from iacfilter_hpc.labelling.functions import FUNCTIONS, VERSION, LabellingFunction, smell_name
from iacfilter_hpc.labelling.user_functions import PatternFunction, all_functions, read_patterns
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.calibration import (
    Calibration,
    CalibrationData,
    CalibrationLabels,
    Figure,
    Folds,
    Partner,
    SeenSamples,
    TermKind,
    remove_calibration,
    write_calibration,
)
from iacfilter_hpc.trained_model.decision import Decision, read_decision
from iacfilter_hpc.trained_model.evidence import ValidationScores, read_seen, seen_of
from iacfilter_hpc.trained_model.find import Trained
from iacfilter_hpc.trained_model.trained_on import ScoredLabel, scored_labels

FEWEST_OF_A_LABEL = 10
"""Of TP and of FP: with fewer, each fold holds one or two, and chooses by luck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """How to calibrate: folds, their seed, draws of the intervals, and functions of users."""

    groups: Path | None = None
    functions: Path | None = None
    folds: int = 5
    seed: int = 0
    draws: int = DRAWS


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Calibrated model, and what a reader should know before believing the figures."""

    model: Trained
    calibration: Calibration
    warnings: tuple[str, ...]


def calibrate(
    models: Sequence[Trained], data_path: Path, options: CalibrationOptions
) -> Calibrated:
    """Calibrate the first of the models, whose log-odds are averaged with the others'.

    Nothing is written before all is well; an earlier calibration stays until then.

    Raises:
        DataError: wrong lines in a file, too few labels or families, or prompts that do not fit.
        TrainingError: a model is not whole, has seen some of the data, or gives no number.
        UsageError: models that do not read alike, or folds that cannot be made.
    """
    first, *others = models
    data = read_labelled(data_path, options.groups)
    check_enough(data, options)
    warnings = [*data.warnings, *_check_models(models, data)]
    patterns = [] if options.functions is None else read_patterns(options.functions)
    functions = all_functions(patterns)
    log_odds = averaged_log_odds(models, data.samples)
    table = table_of(data.samples, log_odds, functions)
    judged = judge(table, options.folds, options.seed)
    fitted = fit(table, options.seed)
    terms = fitted.terms(table)
    voting = {term.name for term in terms if term.kind is TermKind.VOTE}
    calibration = Calibration(
        model=model_sha256(first.final),
        form=fitted.choice.form.name,
        penalty=fitted.choice.penalty,
        intercept=fitted.intercept,
        terms=terms,
        threshold=fitted.threshold,
        partners=tuple(_partner(other) for other in others),
        functions_version=VERSION,
        functions=tuple(each for each in patterns if each.name in voting),
        registered=tuple(sorted(voting & _registered(functions, patterns))),
        data=_data(data),
        labels=label_counts(data.samples),
        folds=_folds(first, data.samples, log_odds, judged, options),
        held_out=_held_out(data.samples, judged),
        seen=_seen(data.samples),
    )
    write_calibration(first.final, calibration)
    tell_in_card(first.final, calibration)
    return Calibrated(first, calibration, tuple(warnings))


def remove(model: Trained) -> bool:
    """Take a model's calibration away, also from its card; whether it had one."""
    had = remove_calibration(model.final)
    tell_in_card(model.final, None)
    return had


def check_enough(data: Labelled, options: CalibrationOptions) -> None:
    """Check that there are labels and families enough.

    Raises:
        DataError: there are too few; each number that is needed is told.
        UsageError: too few folds, or more than families.
    """
    labels = Counter(sample.label for sample in data.samples)
    families = len({sample.group for sample in data.samples})
    problems = [
        f"{data.path} has {labels[label]} samples labelled {label}, and a calibration needs "
        f"{FEWEST_OF_A_LABEL}"
        for label in ("TP", "FP")
        if labels[label] < FEWEST_OF_A_LABEL
    ]
    if families < FEWEST_GROUPS:
        problems.append(
            f"{data.path} has samples of {counted(families, 'family', 'families')}, and a "
            f"calibration needs {FEWEST_GROUPS}: folds and intervals keep them whole"
        )
    if problems:
        raise DataError(
            "\n".join(problems),
            hint="label more samples, of more repositories\n"
            "--groups CSV names repositories and families; without it each file is one",
        )
    if not 2 <= options.folds <= families:
        raise UsageError(f"--folds {options.folds}: it takes 2 to {families} here, whole families")


def _check_models(models: Sequence[Trained], data: Labelled) -> Iterator[str]:
    """See that no model was trained on the data, and that all read alike; warnings come back."""
    decisions = [read_decision(model.final) for model in models]
    for model, decision in zip(models, decisions, strict=True):
        overlap = find_overlap(data, read_seen(model.final), decision.validation.sha256)
        # validation samples too: they would count twice where a filter asks what a model knows
        if known := overlap.train + overlap.validation:
            raise TrainingError(
                f"{known} of {overlap.samples} samples of {data.path} trained or validated "
                f"{model.name}, which is surer of them than it will be of others",
                hint="give samples that the model has not seen",
            )
        yield from (f"{model.name}: {warning}" for warning in overlap.warnings())
    for model, decision in zip(models[1:], decisions[1:], strict=True):
        if difference := _difference(decisions[0], decision):
            raise UsageError(
                f"{model.name} and {models[0].name} differ in {difference}, so their log-odds are "
                "not to be averaged",
                hint="average runs that differ in their seed alone",
            )


def _difference(first: Decision, other: Decision) -> str | None:
    names = (
        "approach",
        "base_model",
        "revision",
        "max_length",
        "input_fields",
        "answers",
        "prompt_form",
    )
    found = [name for name in names if getattr(first, name) != getattr(other, name)]
    return ", ".join(found) or None


def averaged_log_odds(models: Sequence[Trained], samples: Sequence[Sample]) -> list[float]:
    """Log-odds of samples, after temperature, the mean over the models; uncalibrated.

    Raises:
        TrainingError: a model is not whole, or gives no number.
        DataError: prompts that cannot be made to fit.
    """
    first, *others = (load_uncalibrated(model.final) for model in models)
    scorer = replace(first, partners=tuple(others))
    found = own_log_odds(scorer, all_fitting(samples, scorer.encode(samples)))
    # a diverged model: no number is no reason to think a report false
    if wrong := int((~np.isfinite(found)).sum()):
        raise TrainingError(
            f"{models[0].name} gives no finite log-odds for {wrong} of {len(samples)} samples",
            hint="train it anew: iacfilter-status tells how training ended",
        )
    return found


def _partner(model: Trained) -> Partner:
    return Partner(model.name, str(model.final.absolute()), model_sha256(model.final))


def _registered(
    functions: Sequence[LabellingFunction], patterns: Sequence[PatternFunction]
) -> set[str]:
    """Names of the functions that installed packages have registered."""
    own = {each.name for each in FUNCTIONS} | {each.name for each in patterns}
    return {each.name for each in functions} - own


def _data(data: Labelled) -> CalibrationData:
    return CalibrationData(
        file=str(data.path),
        sha256=data.sha256,
        groups_sha256=data.groups_sha256,
        samples=len(data.samples),
        families=len({sample.group for sample in data.samples}),
    )


def label_counts(samples: Sequence[Sample]) -> tuple[CalibrationLabels, ...]:
    """Labels of each smell and technology, in alphabetical order."""
    counts = Counter((smell_name(s), s.technology, s.label) for s in samples)
    cells = sorted({(smell, technology) for smell, technology, _ in counts})
    return tuple(
        CalibrationLabels(*cell, counts[*cell, "TP"], counts[*cell, "FP"]) for cell in cells
    )


def _folds(
    model: Trained,
    samples: Sequence[Sample],
    log_odds: Sequence[float],
    judged: Judged,
    options: CalibrationOptions,
) -> Folds:
    threshold = read_decision(model.final).threshold
    p_tp = expit(np.asarray(log_odds)).tolist()
    return Folds(
        outer=options.folds,
        inner=INNER_FOLDS,
        seed=options.seed,
        chosen=tuple(_chosen(fitted) for fitted in judged.fits),
        figures=figures(samples, judged.decided, judged.p_tp, options),
        before=figures(samples, [p >= threshold for p in p_tp], p_tp, options),
    )


def _chosen(fitted: Fitted) -> str:
    return f"{fitted.choice.form.name}, penalty {fitted.choice.penalty:g}"


def figures(
    samples: Sequence[Sample],
    decided: Sequence[bool],
    p_tp: Sequence[float],
    options: CalibrationOptions,
) -> dict[str, Figure]:
    """Every metric of these decisions, with its interval over families."""
    truth = [sample.label == "TP" for sample in samples]
    groups = [sample.group for sample in samples]
    scores = score(truth, decided, p_tp)
    spans = bootstrap_scores(truth, decided, p_tp, groups, draws=options.draws, seed=options.seed)
    found = {}
    for key in (metric.key for metric in METRICS):
        span = spans[key]
        low, high = (None, None) if span is None else (span.low, span.high)
        found[key] = Figure(scores[key], low, high)
    return found


def _held_out(samples: Sequence[Sample], judged: Judged) -> tuple[ScoredLabel, ...]:
    is_tp = tuple(sample.label == "TP" for sample in samples)
    return scored_labels(samples, ValidationScores(tuple(judged.p_tp), is_tp))


def _seen(samples: Sequence[Sample]) -> SeenSamples:
    seen = seen_of(samples, [])
    return SeenSamples(
        tuple(sorted(seen.train)), tuple(sorted(seen.contents)), tuple(sorted(seen.origins))
    )
