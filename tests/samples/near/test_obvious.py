"""iacfilter_hpc.samples.near.obvious: the reference itself, against the definition."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from iacfilter_hpc.samples.near.obvious import similar_pairs


def jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> Fraction:
    return Fraction(len(one & other), len(one | other))


SETS = st.lists(
    st.frozensets(st.integers(0, 11).map(lambda n: (str(n),)), min_size=1, max_size=12), max_size=12
)


@settings(deadline=None, max_examples=300, database=None)
@given(sets=SETS, least=st.sampled_from([Fraction(n, 20) for n in (10, 12, 15, 16, 18, 20)]))
def test_the_obvious_form_misses_no_pair(
    sets: list[frozenset[tuple[str, ...]]], least: Fraction
) -> None:
    wanted = {
        (i, j) for j in range(len(sets)) for i in range(j) if jaccard(sets[i], sets[j]) >= least
    }
    found = list(similar_pairs(sets, least))
    assert set(found) == wanted
    assert len(found) == len(wanted)
