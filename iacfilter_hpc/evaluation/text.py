"""Text of an evaluation: scores with intervals, and what a reader must know to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from prettytable import PrettyTable

from iacfilter_hpc.errors import counted
from iacfilter_hpc.evaluation.breakdown import Cell
from iacfilter_hpc.evaluation.intervals import FEW_GROUPS, FEWEST_GROUPS, Interval
from iacfilter_hpc.evaluation.metrics import FEW_POSITIVES
from iacfilter_hpc.evaluation.results import Evaluation

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
            f"Fold {each.fold}: {counted(each.samples, 'sample')} of "
            f"{counted(each.groups, 'group')}; "
            f"{each.inner_folds} inner folds chose {counted(each.epochs, 'epoch')}, "
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


CROSS_FIT = "CROSS-FIT: each sample is judged by a model that did not train on its fold."

TITLES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "mcc": "MCC",
    "accuracy": "accuracy",
    "average_precision": "average precision (AP)",
    "roc_auc": "area under the ROC curve (AUC)",
    "fp_reduction": "false alarms removed",
    "fp_reduction_at_recall_95": "  could be, at recall >= 0.95",
    "fp_reduction_at_recall_99": "  could be, at recall >= 0.99",
    "precision_at_recall_95": "precision there, at recall >= 0.95",
    "expected_calibration_error": "expected calibration error of p(TP)",
}
"""How the scores of all samples are called, in the order in which they are shown."""

COLUMNS = ["n", "TP", "precision", "recall", "F1", "95 % of F1", "MCC", "AP", "AUC"]


def render(done: Evaluation) -> str:
    """The tables and their footnotes; every warning stands above them."""
    file = f"{done.data.path} (sha256 {done.data.sha256[:8]})"
    lines = [
        f"{done.run} on {file}, {done.audit.samples} samples",
        *([CROSS_FIT] if done.cross_fit else []),
        *(fill(f"WARNING: {warning}.", WIDTH) for warning in done.warnings),
        "",
        _overall(done),
        "",
        _confusion(done.cells.overall),
        "",
        _by_name([*done.cells.by_smell, *done.cells.by_technology]),
        "",
        *footnotes(done),
        f"Written: {done.directory}",
    ]
    return "\n".join(lines)


def _overall(done: Evaluation) -> str:
    cell = done.cells.overall
    rows = [
        [title, _number(getattr(cell.scores, name)), _range(getattr(cell.intervals, name))]
        for name, title in TITLES.items()
    ]
    place = list(TITLES).index("f1") + 1
    rows.insert(place, ["F1, mean over smells (macro)", _number(done.cells.macro_f1), "-"])
    return _table([_marked(cell), "score", "95 % interval"], rows)


def _confusion(cell: Cell) -> str:
    scores = cell.scores
    rows = [
        ["real TP", str(scores.tp), str(scores.fn)],
        ["false alarm (FP)", str(scores.fp), str(scores.tn)],
    ]
    return _table(["", "decided TP", "decided FP"], rows)


def _by_name(cells: Sequence[Cell]) -> str:
    rows = []
    for cell in cells:
        scores = cell.scores
        before = [scores.precision, scores.recall, scores.f1]
        after = [scores.mcc, scores.average_precision, scores.roc_auc]
        rows.append(
            [
                _marked(cell),
                str(scores.samples),
                str(scores.support),
                *map(_number, before),
                _range(cell.intervals.f1),
                *map(_number, after),
            ]
        )
    return _table(["", *COLUMNS], rows)


def _marked(cell: Cell) -> str:
    return f"{cell.name} {marks}" if (marks := marks_of(cell)) else cell.name


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _range(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{interval.low:.3f} to {interval.high:.3f}{' w' if interval.is_wilson else ''}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = PrettyTable(list(columns), align="r")
    table.border = False
    table.left_padding_width, table.right_padding_width = 0, 2
    table.align[columns[0]] = "l"
    table.add_rows([list(row) for row in rows])
    return "\n".join(line.rstrip() for line in table.get_string().splitlines())
