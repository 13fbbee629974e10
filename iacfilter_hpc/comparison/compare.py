"""Compare systems on one file of labelled samples: scores, tests of every two, and costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.comparison.baselines import (
    KEEP_ALL,
    TFIDF,
    TFIDF_FOLDS,
    Baseline,
    Splits,
    cross_fit_tfidf,
    keep_all,
    read_splits,
    tfidf,
)
from iacfilter_hpc.comparison.cost import Cost
from iacfilter_hpc.comparison.external import PredictionsFile, read_systems
from iacfilter_hpc.comparison.pipeline.misses import EndToEnd, Misses, end_to_end, read_misses
from iacfilter_hpc.comparison.pipeline.retention import Retention, retained
from iacfilter_hpc.comparison.runs import (
    Candidate,
    admit_candidate,
    data_of,
    group_seeds,
    score_candidate,
)
from iacfilter_hpc.comparison.statistics import Pair, SystemBreakdown, compare_pairs, measure
from iacfilter_hpc.comparison.systems import System
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.errors import IacfilterError, UsageError, together
from iacfilter_hpc.evaluation.admission import check_folds
from iacfilter_hpc.evaluation.breakdown import GroupCounts, count_groups
from iacfilter_hpc.evaluation.crossfit import Say
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.provenance import Provenance, provenance


@dataclass(frozen=True, slots=True)
class Request:
    """Request for a comparison: runs and files of predictions; `fresh` scores runs again.

    `teacher` names the system of files that taught the others, `misses` the file of what GLITCH did
    not report.
    """

    runs: tuple[RunLayout, ...]
    files: tuple[PredictionsFile, ...]
    data: Path
    options: EvaluateOptions
    fresh: bool = False
    teacher: str | None = None
    misses: Path | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One system and its scores, in all and by smell and technology."""

    system: System
    breakdown: SystemBreakdown


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems side by side, in one order in all reports: runs, predictions of others, baselines.

    `costs` are of members; `left_out` says what is missing, and why. `teacher` is a title, whose
    students' `retentions` follow; `end_to_end` has scores with GLITCH's misses.
    """

    data: Labelled
    options: EvaluateOptions
    group_counts: GroupCounts
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    costs: tuple[Cost, ...]
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]
    provenance: Provenance
    teacher: str | None = None
    retentions: tuple[Retention, ...] = ()
    end_to_end: EndToEnd | None = None


def compare(
    request: Request,
    accounted: Mapping[str, float],
    say: Say,
    ready: Callable[[Labelled], object] = lambda _: None,
) -> Comparison:
    """Score systems and compare them; `accounted` has the seconds of the jobs that sacct knows.

    Whatever can be wrong is found before any sample is scored, and before any look is logged:
    `ready` is called in between, with the data, and may raise.

    Raises:
        DataError: wrong lines or rows in a file.
        UsageError: names that are not told apart, folds that cannot be.
        IacfilterError: runs that cannot be compared (all are named).
    """
    options = request.options
    seed = options.used_seed
    # first, as it costs nothing: names clash whatever the files hold
    _check_names(request)
    data = read_labelled(request.data, options.groups)
    check_folds(data, options)
    external, candidates = _admitted(request, data)
    misses = None if request.misses is None else read_misses(request.misses, data)
    # scoring may take hours on a GPU, and each look counts: a report that cannot be written has
    # to be found out before both
    ready(data)
    scored = [score_candidate(candidate, data, options, accounted, say) for candidate in candidates]
    baselines, left_out = _baselines(candidates, data, options)
    # seeds are grouped after scoring, since lowest seed and name do not depend on any score
    systems = [*group_seeds(scored, options), *external, *(each.system for each in baselines)]
    teacher = next((each for each in external if each.name == request.teacher), None)
    return Comparison(
        data=data,
        options=options,
        group_counts=count_groups(data.samples),
        entries=tuple(
            Entry(system, measure(system, data.samples, options.draws, seed)) for system in systems
        ),
        pairs=tuple(compare_pairs(systems, data.samples, options.draws, seed)),
        # of each seed, not of each system: seeds may have been trained on other GPUs
        costs=(
            *(each.cost for each in scored),
            *(Cost.unknown(system.name) for system in external),
            *(each.cost for each in baselines),
        ),
        warnings=(*data.warnings, *_warnings(systems), *_other_data(candidates)),
        left_out=tuple(left_out),
        provenance=provenance(),
        teacher=None if teacher is None else teacher.title,
        retentions=() if teacher is None else _retentions(teacher, systems, data, options),
        end_to_end=None if misses is None else _end_to_end(misses, systems, data, options),
    )


def _retentions(
    teacher: System, systems: Sequence[System], data: Labelled, options: EvaluateOptions
) -> tuple[Retention, ...]:
    # baselines too: what one keeps without being taught is what teaching has to beat
    students = [system for system in systems if system is not teacher]
    return retained(teacher, students, data.samples, options.draws, options.used_seed)


def _end_to_end(
    misses: Misses, systems: Sequence[System], data: Labelled, options: EvaluateOptions
) -> EndToEnd:
    groups, draws, seed = options.groups, options.draws, options.used_seed
    return end_to_end(misses, systems, data, groups, draws, seed)


def _admitted(request: Request, data: Labelled) -> tuple[list[System], list[Candidate]]:
    """Files of predictions and runs; all that is wrong with any of them is told at once."""
    external: list[System] = []
    candidates: list[Candidate] = []
    problems: list[IacfilterError] = []
    try:
        external = read_systems(request.files, data)
    except IacfilterError as error:
        problems.append(error)
    for run in request.runs:
        try:
            candidates.append(admit_candidate(run, data, request.options, fresh=request.fresh))
        except IacfilterError as error:
            problems.append(error)
    if problems:
        raise together(problems)
    return external, candidates


def _check_names(request: Request) -> None:
    runs = Counter(run.name for run in request.runs)
    if twice := [name for name, count in runs.items() if count > 1]:
        raise UsageError(f"run {twice[0]} is named twice")
    # pairs are looked up by title, which begins with the name
    taken = {*runs, KEEP_ALL, TFIDF, TFIDF_FOLDS}
    if clash := [file.name for file in request.files if file.name in taken]:
        raise UsageError(
            f"--predictions {clash[0]}: another system has this name", hint="choose another NAME"
        )


def _baselines(
    candidates: Sequence[Candidate], data: Labelled, options: EvaluateOptions
) -> tuple[list[Baseline], list[str]]:
    """The baselines, and why any is left out; TF-IDF learns from the first run's own data."""
    made, left_out = [], []
    splits: Splits | str = "no run is compared, so there is no train split to fit it on"
    # the first run, as the user ordered them: one fixed choice, and _other_data warns of runs that
    # were trained on something else
    if candidates:
        first = candidates[0]
        splits = read_splits(first.run.name, first.record, first.config)
    if isinstance(splits, str):
        left_out.append(f"{TFIDF}: {splits}")
    else:
        made.append(tfidf(splits, data, options.threshold))
    if options.cross_fit is not None:
        made.append(cross_fit_tfidf(data.samples, options.cross_fit, options.used_seed))
    # keep-all needs neither training data nor folds: every comparison has it
    return [*made, keep_all(data.samples)], left_out


def _warnings(systems: Sequence[System]) -> list[str]:
    """What a reader must know before believing any score."""
    return [
        f"{member.name}: {warning}"
        for system in systems
        for member in system.members
        for warning in member.warnings
    ]


def _other_data(candidates: Sequence[Candidate]) -> list[str]:
    # only what the first run's data differ from: it is those that TF-IDF has learned from
    found = []
    for other in candidates[1:]:
        first = candidates[0]
        if data_of(other) != data_of(first):
            found.append(
                f"{other.run.name} was trained or validated on other data than {first.run.name}, "
                f"whose data {TFIDF} learns from"
            )
    return found
