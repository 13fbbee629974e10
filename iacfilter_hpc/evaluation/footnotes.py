"""What a reader of an evaluation's tables must know to trust them."""

from __future__ import annotations

from textwrap import fill

from iacfilter_hpc.evaluation.cells import Cell
from iacfilter_hpc.evaluation.intervals import FEW_GROUPS, FEWEST_GROUPS
from iacfilter_hpc.evaluation.results import Evaluation
from iacfilter_hpc.evaluation.scores import FEW_POSITIVES

WIDTH = 100
POOLED_SCORES = (
    "AP, AUC, calibration error, what could be at a recall, and curves pool the p(TP) that the "
    "models of different folds gave, each on its own scale: they are of no single model"
)
FEW = (
    f"# fewer than {FEW_GROUPS} groups: intervals are likely too narrow; fewer than "
    f"{FEWEST_GROUPS}: there is none."
)
WILSON = fill(
    "w: all draws are alike, so it is Wilson's interval, which takes samples for independent.",
    WIDTH,
)
POOLED = fill(f"{POOLED_SCORES}.", WIDTH)


def marks_of(cell: Cell) -> str:
    """What stands after the name of a cell that says little."""
    return ("*" if cell.scores.few_positives else "") + ("#" if cell.few_groups else "")


def footnotes(done: Evaluation) -> list[str]:
    """Every one that this evaluation needs."""
    audit, clusters, options = done.audit, done.clusters, done.options
    units = {"family": clusters.family, "repository": clusters.repo, "file": clusters.file}
    grouped = ", ".join(f"{count} samples by {unit}" for unit, count in units.items() if count)
    given = audit.samples - audit.technology_from_extension
    guessed = audit.technology_from_extension - audit.technology_unknown
    cells = [done.cells.overall, *done.cells.by_smell, *done.cells.by_technology]
    few = any(cell.scores.few_positives for cell in cells)
    few_groups = any(cell.few_groups for cell in cells)
    return [
        "Positive class: TP, a real smell. n: samples. A dash marks what is not defined.",
        *([f"* fewer than {FEW_POSITIVES} real TPs: such scores say little."] if few else []),
        *([FEW] if few_groups else []),
        f"Intervals: bootstrap of {options.draws} draws (seed {options.used_seed}) of "
        f"{clusters.groups} groups kept whole: {grouped}.",
        *([WILSON] if any(map(_has_wilson, cells)) else []),
        *([POOLED] if done.cross_fit else []),
        *_threshold(done),
        f"Look {done.look} at this file, in this log: {done.looks_log}",
        f"Technology: {given} from the field, {guessed} from the file extension, "
        f"{audit.technology_unknown} unknown.",
        f"Cut to fit {done.decision.max_length} tokens: {audit.samples_cut} samples "
        f"({audit.context_lines_dropped} context lines), kept longer: "
        f"{audit.kept_over_max_length}.",
    ]


def _threshold(done: Evaluation) -> list[str]:
    if done.cross_fit is not None:
        return [
            f"Fold {each.fold}: {each.samples} samples of {each.groups} groups; "
            f"{each.inner_folds} inner folds chose {each.epochs} epochs, "
            f"TP if p(TP) >= {each.threshold:.4f}, temperature {each.temperature:.3f}."
            for each in done.cross_fit.choices
        ]
    origin, temperature = done.decision.validation, done.decision.temperature
    source = f"validation data {origin.file} (sha256 {origin.sha256[:8]})"
    rule = f"Threshold: TP if p(TP) >= {done.threshold:.4f}"
    if done.options.threshold == "validation":
        return [
            f"{rule}, the best F1 ({origin.f1:.3f}; {origin.f1_at_half:.3f} at 0.5)",
            f"  on {source}.",
            f"Temperature of p(TP): {temperature:.3f}, fitted on the same data.",
        ]
    return [
        f"{rule}, as --threshold {done.options.threshold} asks.",
        f"Temperature of p(TP): {temperature:.3f}, fitted on",
        f"  {source}.",
    ]


def _has_wilson(cell: Cell) -> bool:
    intervals = cell.intervals
    found = (intervals.precision, intervals.recall, intervals.fp_reduction)
    return any(each is not None and each.is_wilson for each in found)
