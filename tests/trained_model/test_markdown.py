"""Tables of Markdown: what a reader sees is what stands in the cells, whatever that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from iacfilter_hpc.trained_model.markdown import code, escaped
from iacfilter_hpc.trained_model.tables import markdown_table

HOSTILE = (
    "",
    "a|b",
    "`x` \\|",
    "a\n---\n# b",
    "<b>&amp;</b>",
    "\x07\x1b[31m",
    "名前",
    "👩‍👩‍👧 e\u0301",
)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As GitHub's specification has it, without padding."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rendered(text: str) -> str:
    return MarkdownIt("gfm-like", {"linkify": False}).render(text)


CELLS = st.one_of(st.text(max_size=20), st.sampled_from(HOSTILE))


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=4), st.sampled_from([code, escaped]))
def test_padding_is_not_seen(rows: list[tuple[str, str]], made_safe: Callable[[str], str]) -> None:
    safe = [[made_safe(cell) for cell in row] for row in rows]
    columns = ["", made_safe("b|c")]
    assert rendered(markdown_table(columns, safe)) == rendered(plain_table(columns, safe))


def test_columns_line_up() -> None:
    assert markdown_table(["", "TP"], [["`train`", "4"], ["all", "12"]]).splitlines() == [
        "|         | TP |",
        "| --------| ---|",
        "| `train` | 4  |",
        "| all     | 12 |",
    ]


def test_columns_may_have_the_same_name() -> None:
    """Smells that differ in spaces only do, once a line is made of them."""
    shown = rendered(markdown_table(["System", "a", "a", "a"], [["s", "1", "2", "3"]]))
    assert shown.count("<th>a</th>") == 3 and "<td>3</td>" in shown


@pytest.mark.parametrize("name", HOSTILE)
def test_escaped_text_is_text(name: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"x {escaped(name)}")
    made = [part for token in tokens for part in (token.children or [])]
    assert {part.type for part in made} <= {"text", "text_special"}
    assert "".join(part.content for part in made) == f"x {' '.join(name.split())}".strip()
