"""Random decisions for hypothesis: ties in p(TP), slices of one class, few groups."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Decided:
    """Samples with truth, p(TP), decision and group; four lists of equal length."""

    truth: list[bool]
    p_tp: list[float]
    decided: list[bool]
    groups: list[str]


PROBABILITIES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.2, 0.5, 2 / 3, 1.0]))


@st.composite
def decisions(draw: st.DrawFn, least: int = 1, most: int = 40) -> Decided:
    """Decisions at a random threshold."""
    row = st.tuples(st.booleans(), PROBABILITIES, st.sampled_from("abcdefg"))
    rows = draw(st.lists(row, min_size=least, max_size=most))
    threshold = draw(PROBABILITIES)
    return Decided(
        truth=[row[0] for row in rows],
        p_tp=[row[1] for row in rows],
        decided=[row[1] >= threshold for row in rows],
        groups=[row[2] for row in rows],
    )
