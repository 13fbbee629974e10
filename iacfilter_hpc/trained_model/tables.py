"""Tables as text: aligned columns for a terminal, Markdown for a card and a report."""

from __future__ import annotations

from collections.abc import Sequence

from prettytable import PrettyTable, TableStyle


def aligned_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]
) -> str:
    """Columns side by side without borders; `numbers` are those aligned to the right."""
    made = PrettyTable(list(columns), align="l")
    made.set_style(TableStyle.PLAIN_COLUMNS)
    made.left_padding_width, made.right_padding_width = 0, 2
    for name in numbers:
        made.align[name] = "r"
    made.add_rows([list(row) for row in rows])
    return "\n".join(line.rstrip() for line in made.get_string().splitlines())


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table whose columns line up; cells are Markdown, of one line each."""
    # prettytable wants names that differ; a space at the end of a cell is not shown
    names = [name + " " * columns[:index].count(name) for index, name in enumerate(columns)]
    made = PrettyTable(names, align="l")
    made.set_style(TableStyle.MARKDOWN)
    made.horizontal_align_char = "-"  # cells stand where the reader's own style has them
    made.add_rows([list(row) for row in rows])
    text: str = made.get_string()
    return text
