"""Pieces of Markdown from text that others wrote, such as names in data."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 100


def code(text: str) -> str:
    """The text as code, also inside a table: one line, cut at 100 characters, nothing ends it.

    Source: https://github.github.com/gfm/#tables-extension-
    """
    plain = " ".join(text.replace("`", "'").replace("|", "¦").split())
    return f"`{plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + '...'}`"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
