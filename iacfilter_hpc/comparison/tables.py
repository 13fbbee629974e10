"""The tables of a comparison, the same for Markdown and for HTML; cells are plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from iacfilter_hpc.comparison.compare import Comparison, Entry
from iacfilter_hpc.comparison.cost import Cost
from iacfilter_hpc.comparison.sentences import p_value
from iacfilter_hpc.comparison.statistics import Measured, SystemScores
from iacfilter_hpc.comparison.systems import SystemKind
from iacfilter_hpc.errors import counted
from iacfilter_hpc.evaluation.metrics import in_reading_order
from iacfilter_hpc.evaluation.text import NONE, marked, number, span

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cell:
    """Cell of a table; `detail` is what is less important, such as an interval."""

    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Table whose first column names the row; `words` are the columns that hold no numbers."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: tuple[str, ...] = ()


def overall(done: Comparison) -> Table:
    """Scores of decisions, on all samples and in the mean over smells."""
    headings = _headings(needs_p_tp=False)
    table = _scores(done, "overall", "Decisions on all samples", headings)
    # macro F1 needs the split by smell, so it is no entry of METRICS, and is put in by hand
    after_f1 = table.columns.index(headings["f1"]) + 1
    rows = [
        (*row[:after_f1], Cell(score_text(entry.breakdown.macro_f1)), *row[after_f1:])
        for row, entry in zip(table.rows, done.entries, strict=True)
    ]
    columns = (*table.columns[:after_f1], "F1, mean over smells", *table.columns[after_f1:])
    return replace(table, columns=columns, rows=tuple(rows))


def ranking(done: Comparison) -> Table:
    """Scores of p(TP), ranking and calibration, whatever the threshold."""
    title = "Ranking and calibration of p(TP), whatever the threshold"
    return _scores(done, "ranking", title, _headings(needs_p_tp=True))


def by_smell(done: Comparison) -> Table:
    """F1 of each system and smell."""
    return _f1_by(done, "by-smell", "F1 by smell", lambda entry: entry.breakdown.by_smell)


def by_technology(done: Comparison) -> Table:
    """F1 of each system and technology."""
    return _f1_by(done, "by-technology", "F1 by technology", lambda e: e.breakdown.by_technology)


def pairwise(done: Comparison) -> Table:
    """Pairwise tests: every two systems."""
    columns = ("First", "Second", "Only first right", "Only second right", "p", "Adjusted p")
    rows = tuple(
        (
            Cell(pair.first),
            Cell(pair.second),
            Cell(str(pair.mcnemar.first_only)),
            Cell(str(pair.mcnemar.second_only)),
            Cell(p_value(pair.mcnemar.p)),
            Cell(p_value(pair.p_adjusted)),
            Cell(_signed(pair.difference), span(pair.interval) if pair.interval else ""),
            Cell(pair.separation),
        )
        for pair in done.pairs
    )
    return Table(
        "pairs",
        "Every two systems: McNemar's exact test, and F1 of the first less F1 of the second",
        (*columns, "Difference in F1", "Verdict"),
        rows,
        ("Second", "Verdict"),
    )


def retention(done: Comparison) -> Table | None:
    """Retention of the teacher by the others; None without a teacher."""
    rows = tuple(
        (
            Cell(each.student),
            Cell(number(each.share), span(each.share_interval) if each.share_interval else ""),
            Cell(
                number(each.agreement),
                span(each.agreement_interval) if each.agreement_interval else "",
            ),
        )
        for each in done.retentions
    )
    columns = ("Student", "F1 over the teacher's", "Decided alike")
    return Table("retention", f"What students keep of {done.teacher}", columns, rows)


def with_misses(done: Comparison) -> Table | None:
    """Scores of GLITCH and each system as one, with what GLITCH missed; None if that is unknown."""
    if (found := done.end_to_end) is None:
        return None
    headings = _headings(needs_p_tp=False)
    keys = ("precision", "recall", "f1")
    rows = tuple(
        (
            Cell(title),
            *(_measured(breakdown.overall.measured[key]) for key in keys),
            Cell(score_text(breakdown.macro_f1)),
        )
        for title, breakdown in found.breakdowns
    )
    missed = counted(found.missed, "real smell", "real smells")
    kept = counted(found.kept, "report")
    return Table(
        "end-to-end",
        f"End to end, with {missed} that GLITCH did not report and {kept} that nothing judges",
        ("System", *(headings[key] for key in keys), "F1, mean over smells"),
        rows,
    )


def members(done: Comparison) -> Table | None:
    """Members: each seed or repeated run on its own; None if no system has several."""
    several = [entry for entry in done.entries if len(entry.system.members) > 1]
    shown = {
        metric.key: metric.heading
        for metric in in_reading_order()
        if metric.is_of_members and metric.heading is not None
    }
    rows = [
        (
            Cell(entry.system.name),
            # files of one system share its name, and only their paths differ
            Cell(member.name if entry.system.kind is SystemKind.RUN else member.source),
            Cell(NONE if member.seed is None else str(member.seed)),
            *(Cell(number(scores[key])) for key in shown),
        )
        for entry in several
        for member, scores in zip(
            entry.system.members, entry.breakdown.overall.members, strict=True
        )
    ]
    columns = ("System", "Run", "Seed", *shown.values())
    title = "Each seed, and each repeated run, on its own"
    return Table("members", title, columns, tuple(rows), ("Run",)) if rows else None


def costs(done: Comparison) -> Table:
    """Costs of members: parameters, hours, GPUs, and samples a second."""
    columns = ("System", "Parameters trained", "Training hours", "GPUs", "GPU hours", "Clock")
    return Table(
        "costs",
        "What training and scoring cost",
        (*columns, "Trained samples/s", "Scored samples/s"),
        tuple(_cost(cost) for cost in done.costs),
        ("Clock",),
    )


def origins(done: Comparison) -> Table:
    """Origins of decisions and thresholds, a row a member."""
    rows = []
    for entry in done.entries:
        for member in entry.system.members:
            rows.append(
                (
                    Cell(member.name),
                    Cell(entry.system.protocol),
                    Cell(NONE if member.threshold is None else f"{member.threshold:.4f}"),
                    Cell(member.threshold_origin),
                    Cell(number(member.temperature)),
                    Cell(NONE if member.look is None else str(member.look)),
                    Cell(member.source),
                )
            )
    columns = ("System", "Protocol", "Threshold", "Where from", "Temperature", "Look", "Decisions")
    words = ("Protocol", "Where from", "Decisions")
    title = "Thresholds, and where decisions come from"
    return Table("origins", title, columns, tuple(rows), words)


def all_tables(done: Comparison) -> list[Table]:
    """Tables that have rows, in the order in which a reader needs them."""
    made: list[Callable[[Comparison], Table | None]] = [overall, ranking, by_smell, by_technology]
    made += [with_misses, retention, pairwise, members, costs, origins]
    # a comparison without seeds has no table of them, and the template asks for it by name
    tables = [make(done) for make in made]
    return [table for table in tables if table is not None and table.rows]


def subset_title(subset: SystemScores) -> str:
    """Name of a smell or technology, marked where it has few real smells or few groups."""
    few_positives, few_groups = subset.first.few_positives, subset.few_groups
    return marked(subset.name, few_positives=few_positives, few_groups=few_groups)


def _headings(*, needs_p_tp: bool) -> dict[str, str]:
    """The columns of metrics that look at p(TP), or of those that look at decisions, by key."""
    return {
        metric.key: metric.heading
        for metric in in_reading_order()
        if metric.heading is not None and metric.needs_p_tp is needs_p_tp
    }


def _scores(done: Comparison, name: str, title: str, headings: dict[str, str]) -> Table:
    rows = []
    for entry in done.entries:
        measured = entry.breakdown.overall.measured
        cells = [_measured(measured[key]) for key in headings]
        rows.append((Cell(entry.system.title), Cell(entry.system.protocol), *cells))
    columns = ("System", "Protocol", *headings.values())
    return Table(name, title, columns, tuple(rows), ("Protocol",))


def _f1_by(
    done: Comparison, name: str, title: str, subsets_of: Callable[[Entry], Sequence[SystemScores]]
) -> Table:
    # non-breaking: the counts of a heading stay on one line
    heads = [
        f"{subset_title(subset)} ({subset.first.support}\xa0of\xa0{subset.first.samples}\xa0real)"
        for subset in subsets_of(done.entries[0])
    ]
    rows = tuple(
        (
            Cell(entry.system.title),
            *(_measured(subset.measured["f1"]) for subset in subsets_of(entry)),
        )
        for entry in done.entries
    )
    return Table(name, title, ("System", *heads), rows)


def score_text(found: Measured) -> str:
    """Score as text: the mean, with the standard deviation over members if there are several."""
    return number(found.mean) + ("" if found.sd is None else f" ± {found.sd:.3f}")


def _measured(found: Measured) -> Cell:
    return Cell(
        score_text(found), span(found.interval) if found.mean is not None and found.interval else ""
    )


def _cost(cost: Cost) -> tuple[Cell, ...]:
    # keep-all is trained nowhere: dashes say that there is nothing to know, not that it is unknown
    if cost.trained_parameters == 0:
        return (Cell(cost.name), Cell("0"), *[Cell(NONE)] * 6)
    # Cost.gpu_hours is None for both, and a reader should see which it is
    gpu_hours = UNKNOWN if cost.gpus is None else "on CPU" if cost.gpus == 0 else None
    return (
        Cell(cost.name),
        Cell(UNKNOWN if cost.trained_parameters is None else f"{cost.trained_parameters:,}"),
        Cell(UNKNOWN if cost.hours is None else hours(cost.hours)),
        Cell(UNKNOWN if cost.gpus is None else str(cost.gpus)),
        Cell(gpu_hours or (UNKNOWN if cost.gpu_hours is None else hours(cost.gpu_hours))),
        Cell(cost.clock or UNKNOWN),
        Cell(speed(cost.train_samples_per_s)),
        Cell(speed(cost.scored_samples_per_s)),
    )


def hours(value: float) -> str:
    """Hours as text, with three significant digits."""
    return f"{value:.3g}"


def speed(value: float | None) -> str:
    """Samples a second as text: three significant digits, or whole numbers from 100 on."""
    return UNKNOWN if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _signed(value: float | None) -> str:
    return NONE if value is None else f"{value:+.3f}"
