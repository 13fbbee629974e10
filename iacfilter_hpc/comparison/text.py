"""Text of a comparison: scores, conclusions, costs, and what a reader must know to trust them."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill

from iacfilter_hpc.comparison.compare import Comparison, Entry
from iacfilter_hpc.comparison.sentences import (
    conclusions,
    pipeline_notes,
    pooled,
    representative,
    subject,
    varieties,
)
from iacfilter_hpc.comparison.systems import PROTOCOLS
from iacfilter_hpc.comparison.tables import (
    Cell,
    Table,
    costs,
    retention,
    score_text,
    with_misses,
)
from iacfilter_hpc.evaluation.bootstrap import FEW_GROUPS
from iacfilter_hpc.evaluation.metrics import in_reading_order
from iacfilter_hpc.evaluation.text import FEW, WIDTH, span
from iacfilter_hpc.trained_model.tables import aligned_table


def render(done: Comparison) -> str:
    """Text of a comparison, as the command prints it; warnings come first."""
    file = f"{done.data.path} (sha256 {done.data.sha256[:8]})"
    lines = [
        file,
        _wrapped(subject(done)),
        *(_wrapped(f"WARNING: {warning}.") for warning in done.warnings),
        "",
        _scores(done),
        "",
        *(_wrapped(sentence) for sentence in conclusions(done)),
        "",
        *_pipeline(done),
        _costs(done),
        "",
        *_footnotes(done),
    ]
    return "\n".join(lines)


def _scores(done: Comparison) -> str:
    """The metrics that have an abbreviation, a row a system."""
    shown = {metric.key: name for metric in in_reading_order() if (name := metric.abbreviation)}
    columns = ["SYSTEM", "PROTOCOL", *shown.values()]
    # the terminal has room for one interval: that of the score which the pairs are judged by
    columns.insert(columns.index(shown["f1"]) + 1, "95 % OF F1")
    return aligned_table(columns, [_row(entry, shown) for entry in done.entries], columns[2:])


def _row(entry: Entry, keys: Iterable[str]) -> list[str]:
    row = [entry.system.title, entry.system.protocol]
    for key in keys:
        measured = entry.breakdown.overall.measured[key]
        row.append(score_text(measured))
        if key == "f1":
            row.append(span(measured.interval))
    return row


def _pipeline(done: Comparison) -> list[str]:
    """Tables of the teacher's students and of GLITCH's misses, each under its title."""
    found = [table for table in (with_misses(done), retention(done)) if table is not None]
    return [
        line
        for table in found
        if table.rows
        for line in (_wrapped(f"{table.title}:"), _aligned(table, detail=True), "")
    ]


def _costs(done: Comparison) -> str:
    return _aligned(costs(done))


def _aligned(table: Table, *, detail: bool = False) -> str:
    columns = [name.upper() for name in table.columns]
    rows = [[_cell(cell, detail) for cell in row] for row in table.rows]
    return aligned_table(columns, rows, columns[1:])


def _cell(cell: Cell, detail: bool) -> str:
    return f"{cell.text} ({cell.detail})" if detail and cell.detail else cell.text


def _footnotes(done: Comparison) -> list[str]:
    # only those that occur; the reports, which have room, explain every protocol
    used = sorted({entry.system.protocol for entry in done.entries})
    stand_ins = [
        f"{note} stands for {entry.system.title} in McNemar's test"
        for entry in done.entries
        if (note := representative(entry.system))
    ]
    looks = [
        f"{member.name} {member.look}"
        for entry in done.entries
        for member in entry.system.members
        if member.look is not None
    ]
    notes = [
        "Positive class: TP, a real smell. A dash marks what is not defined.",
        *(f"{name}: {PROTOCOLS[name]}." for name in used),
        f"Intervals: bootstrap of {done.options.draws} draws (seed {done.options.used_seed}) of "
        f"{done.group_counts.groups} groups kept whole. Different: McNemar's exact test (Holm, all "
        "pairs) and the bootstrap of the difference in F1 agree.",
        *([f"{'; '.join(stand_ins)}."] if stand_ins else []),
        *pipeline_notes(done),
        *varieties(done),
        *([sentence] if (sentence := pooled(done)) else []),
        *([FEW] if done.group_counts.groups < FEW_GROUPS else []),
        *([f"Looks at this file so far: {', '.join(looks)}."] if looks else []),
        *(f"Left out: {reason}." for reason in done.left_out),
    ]
    return [_wrapped(note) for note in notes]


def _wrapped(text: str) -> str:
    """Lines that break at spaces only; a name may hold hyphens."""
    return fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
