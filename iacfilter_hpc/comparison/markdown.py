"""Markdown report: a comparison without its figures."""

from __future__ import annotations

import re

from iacfilter_hpc import __version__
from iacfilter_hpc.comparison.compare import Comparison
from iacfilter_hpc.comparison.sentences import conclusions, method, subject
from iacfilter_hpc.comparison.systems import PROTOCOLS
from iacfilter_hpc.comparison.tables import Cell, Table, all_tables
from iacfilter_hpc.trained_model.markdown import escaped
from iacfilter_hpc.trained_model.tables import markdown_table

LIST_ITEM = re.compile(r"^([-+]|\d+[.)])(?=\s|$)")
"""What Markdown would take for the start of a list inside a list."""


def render_markdown(done: Comparison) -> str:
    """Markdown report: the text of the HTML one, without its figures."""
    parts = [
        f"# Comparison on {escaped(done.data.path.name)}",
        escaped(subject(done)),
        *(
            [_bullets([f"WARNING: {warning}." for warning in done.warnings])]
            if done.warnings
            else []
        ),
        _bullets(conclusions(done)),
        *(part for each in all_tables(done) for part in _table(each)),
        "## How to read this",
        _bullets(
            [
                *method(done),
                *(f"{name}: {meaning}." for name, meaning in PROTOCOLS.items()),
                *(f"Left out: {reason}." for reason in done.left_out),
            ]
        ),
        f"Data: {escaped(str(done.data.path))}, sha256 `{done.data.sha256}`. "
        f"Made {done.provenance.created_at} by iacfilter-hpc {__version__}, "
        f"commit {done.provenance.git_commit or 'unknown'}.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> list[str]:
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    columns = [escaped(name) for name in table.columns]
    return [f"## {escaped(table.title)}", markdown_table(columns, rows)]


def _cell(cell: Cell) -> str:
    # Markdown has no smaller text, which is what HTML shows the detail in
    return escaped(f"{cell.text} ({cell.detail})" if cell.detail else cell.text)


def _bullets(lines: list[str]) -> str:
    # only at the start of a line are these signs Markdown, so `escaped` leaves them alone
    texts = [LIST_ITEM.sub(lambda f: f"{f[0][:-1]}\\{f[0][-1]}", escaped(line)) for line in lines]
    return "\n".join(f"- {text}" for text in texts)
