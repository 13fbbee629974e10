"""iacfilter_hpc.errors: words for numbers of things."""

from __future__ import annotations

import pytest

from iacfilter_hpc.errors import counted, numbered


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("sample",), "0 samples"),
        (1, ("sample",), "1 sample"),
        (2, ("sample",), "2 samples"),
        (1, ("process", "processes"), "1 process"),
        (3, ("process", "processes"), "3 processes"),
        (1, ("row is", "rows are"), "1 row is"),
    ],
)
def test_one_is_singular(count: int, words: tuple[str, ...], text: str) -> None:
    assert counted(count, *words) == text


def test_texts_alike_have_one_kind() -> None:
    one, other = numbered("line {} of {}", 3, 40), numbered("line {} of {}", 7, 9)
    assert (one, other[1]) == (("line 3 of 40", "line N of N"), "line N of N")
