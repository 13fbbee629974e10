"""An evaluation as plain text: scores with intervals, and what a reader must know to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from prettytable import PrettyTable

from iacfilter_hpc.evaluation.cells import Cell
from iacfilter_hpc.evaluation.footnotes import footnotes, marks_of
from iacfilter_hpc.evaluation.intervals import Interval
from iacfilter_hpc.evaluation.results import Evaluation

WIDTH = 100
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
