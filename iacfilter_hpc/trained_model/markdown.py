"""Markdown: text of others in which nothing is Markdown."""

from __future__ import annotations

import re

LONGEST = 100
"""Characters of a text as code; sources and smells of a data file may be of any length."""
# an underscore inside a word is plain text, so hard_coded_secret stays readable in the source.
# Source: https://spec.commonmark.org/0.31.2/#emphasis-and-strong-emphasis
SPECIAL = re.compile(r"[\\`*\[\]<>#|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def code(text: str) -> str:
    """Code span of a text, also inside a table: one line, cut at 100 characters, nothing ends it.

    Source: https://github.github.com/gfm/#tables-extension-
    """
    # neither can be escaped: a backslash is text in code, except before a pipe in a table
    plain = " ".join(text.replace("`", "'").replace("|", "¦").split())
    return f"`{plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + '...'}`"


def escaped(text: str) -> str:
    """Escaped text, shown as it stands: nothing in it is Markdown or HTML, and it is one line."""
    return SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))
