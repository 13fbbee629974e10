"""Text report of an evaluation: scores with intervals, warnings above, footnotes below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill

from iacfilter_hpc.errors import counted
from iacfilter_hpc.evaluation.bootstrap import FEW_GROUPS, FEWEST_GROUPS, Interval
from iacfilter_hpc.evaluation.breakdown import SubsetScores
from iacfilter_hpc.evaluation.metrics import in_reading_order, pooled_names
from iacfilter_hpc.evaluation.results import Evaluation
from iacfilter_hpc.trained_model.calibration import Calibration
from iacfilter_hpc.trained_model.evidence import FEW_POSITIVES
from iacfilter_hpc.trained_model.tables import aligned_table

WIDTH = 100
NONE = "-"
"""Where there is no number."""
FEW = (
    f"# fewer than {FEW_GROUPS} groups: intervals are likely too narrow; fewer than "
    f"{FEWEST_GROUPS}: there is none."
)
WILSON = fill(
    "w: all draws are alike, so it is Wilson's interval, which takes samples for independent.",
    WIDTH,
)


def number(value: float | None) -> str:
    """A score to three digits."""
    return NONE if value is None else f"{value:.3f}"


def span(interval: Interval | None) -> str:
    """An interval to three digits."""
    if interval is None:
        return NONE
    return f"{interval.low:.3f} to {interval.high:.3f}{' w' if interval.is_wilson else ''}"


def marked(name: str, *, few_positives: bool, few_groups: bool) -> str:
    """The name of a subset, with a mark for each reason why its scores say little."""
    marks = ("*" if few_positives else "") + ("#" if few_groups else "")
    return f"{name} {marks}" if marks else name


def pooled_caveat() -> str:
    """Caveat of cross-fits about the metrics that are computed from p(TP)."""
    return (
        f"{', '.join(pooled_names())}, and curves pool the p(TP) that the models of different "
        "folds gave, each on its own scale: they are of no single model"
    )


def footnotes(done: Evaluation) -> list[str]:
    """Footnotes that this evaluation needs, a line each."""
    audit, groups, options = done.audit, done.group_counts, done.options
    units = groups.samples_by_unit.items()
    grouped = ", ".join(f"{counted(count, 'sample')} by {unit}" for unit, count in units)
    from_field = audit.samples - audit.technology_from_extension
    from_extension = audit.technology_from_extension - audit.technology_unknown
    breakdown = done.breakdown
    subsets = [breakdown.overall, *breakdown.by_smell, *breakdown.by_technology]
    # a mark is explained only where it is used
    few = any(subset.scores.few_positives for subset in subsets)
    few_groups = any(subset.few_groups for subset in subsets)
    return [
        "Positive class: TP, a real smell. n: samples. A dash marks what is not defined.",
        *([f"* fewer than {FEW_POSITIVES} real TPs: such scores say little."] if few else []),
        *([FEW] if few_groups else []),
        f"Intervals: bootstrap of {options.draws} draws (seed {options.used_seed}) of "
        f"{counted(groups.groups, 'group')} kept whole: {grouped}.",
        *([WILSON] if any(map(_has_wilson, subsets)) else []),
        *([fill(f"{pooled_caveat()}.", WIDTH)] if done.cross_fit else []),
        *_threshold(done),
        f"Look {done.look} at this file, in this log: {done.looks_log}",
        f"Technology: {from_field} from the field, {from_extension} from the file extension, "
        f"{audit.technology_unknown} unknown.",
        f"Cut to fit {done.decision.max_length} tokens: {counted(audit.samples_cut, 'sample')} "
        f"({counted(audit.context_lines_dropped, 'context line')}), kept longer: "
        f"{audit.kept_over_max_length}."
        + (f" {audit.fitting_length} would hold all." if audit.cuts_most else ""),
    ]


def _threshold(done: Evaluation) -> list[str]:
    if done.cross_fit is not None:
        return [
            f"Fold {each.fold}: {counted(each.samples, 'sample')} of "
            f"{counted(each.groups, 'group')}; "
            f"{each.inner_folds} inner folds chose {counted(each.epochs, 'epoch')}, "
            f"TP if p(TP) >= {each.threshold:.4f}, temperature {each.temperature:.3f}, "
            f"offset {each.offset:.3f}."
            for each in done.cross_fit.choices
        ]
    origin, temperature = done.decision.validation, done.decision.temperature
    source = f"validation data {origin.file} (sha256 {origin.sha256[:8]})"
    rule = f"Threshold: TP if p(TP) >= {done.threshold:.4f}"
    if done.calibration is not None:
        return _calibrated(done, done.calibration)
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


def _calibrated(done: Evaluation, calibration: Calibration) -> list[str]:
    data, rule = calibration.data, f"Threshold: TP if p(TP) >= {done.threshold:.4f}"
    own = done.options.threshold == "validation"
    return [
        f"{rule}, {'that of its calibration' if own else f'as --threshold {done.threshold} asks'}.",
        f"p(TP) is calibrated ({calibration.form}), fitted on {counted(data.samples, 'sample')} of",
        f"  {data.file} (sha256 {data.sha256[:8]}).",
    ]


def _has_wilson(subset: SubsetScores) -> bool:
    return any(found is not None and found.is_wilson for found in subset.intervals.values())


CROSS_FIT = "CROSS-FIT: each sample is judged by a model that did not train on its fold."


def render(done: Evaluation) -> str:
    """Text of an evaluation: tables with footnotes below, and every warning above."""
    file = f"{done.data.path} (sha256 {done.data.sha256[:8]})"
    lines = [
        f"{done.run} on {file}, {counted(done.audit.samples, 'sample')}",
        *([CROSS_FIT] if done.cross_fit else []),
        # above the scores, where nobody has read a number yet
        *(fill(f"WARNING: {warning}.", WIDTH) for warning in done.warnings),
        "",
        _overall(done),
        "",
        _confusion(done.breakdown.overall),
        "",
        *([*_untouched(done.untouched), ""] if done.untouched else []),
        _by_name([*done.breakdown.by_smell, *done.breakdown.by_technology]),
        "",
        *footnotes(done),
        f"Written: {done.directory}",
    ]
    return "\n".join(lines)


def _overall(done: Evaluation) -> str:
    """Every metric of all samples."""
    overall = done.breakdown.overall
    rows = []
    for metric in in_reading_order():
        interval = overall.intervals[metric.key]
        rows.append([metric.title, number(overall.scores[metric.key]), span(interval)])
        if metric.key == "f1":
            # of smells, not of samples, so it is none of METRICS and has no interval
            rows.append(["F1, mean over smells (macro)", number(done.breakdown.macro_f1), NONE])
    columns = [_title(overall), "score", "95 % interval"]
    return aligned_table(columns, rows, columns[1:])


def _untouched(scores: SubsetScores) -> list[str]:
    """The model as it was, beside what fine-tuning has made of it."""
    shown = ((metric.title, metric.key) for metric in in_reading_order() if metric.column)
    numbers = ", ".join(f"{title} {number(scores.scores[key])}" for title, key in shown)
    return [
        f"Untouched, with scale, offset and threshold of the same folds: {numbers};",
        f"  F1 {span(scores.intervals['f1'])}.",
    ]


def _confusion(subset: SubsetScores) -> str:
    scores = subset.scores
    rows = [
        ["real TP", str(scores.tp), str(scores.fn)],
        ["false alarm (FP)", str(scores.fp), str(scores.tn)],
    ]
    columns = ["", "decided TP", "decided FP"]
    return aligned_table(columns, rows, columns[1:])


def _by_name(subsets: Sequence[SubsetScores]) -> str:
    """The metrics that have a column, a row a subset."""
    shown = {metric.key: name for metric in in_reading_order() if (name := metric.column)}
    columns = ["", "n", "TP", *shown.values()]
    # of one metric alone: there is no width for more
    columns.insert(columns.index(shown["f1"]) + 1, "95 % of F1")
    return aligned_table(columns, [_row(subset, shown) for subset in subsets], columns[1:])


def _row(subset: SubsetScores, keys: Iterable[str]) -> list[str]:
    row = [_title(subset), str(subset.scores.samples), str(subset.scores.support)]
    for key in keys:
        row.append(number(subset.scores[key]))
        if key == "f1":
            row.append(span(subset.intervals[key]))
    return row


def _title(subset: SubsetScores) -> str:
    few_positives, few_groups = subset.scores.few_positives, subset.few_groups
    return marked(subset.name, few_positives=few_positives, few_groups=few_groups)
