"""iacfilter_hpc.samples.near.region: the near contexts are those of all pairs, whatever the way."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iacfilter_hpc.samples.near import region, shingles
from iacfilter_hpc.samples.near.masks import numbers_in
from iacfilter_hpc.samples.near.obvious import similar_pairs
from iacfilter_hpc.samples.near.region import NEAR, Context, find_regions
from iacfilter_hpc.samples.near.shingles import shingles_of

Pairs = set[tuple[int, int]]


def found_pairs(contexts: Sequence[Context]) -> Pairs:
    """Pairs of near contexts; each must be found from both of its ends, with all its samples."""
    number_of = {sample: n for n, each in enumerate(contexts) for sample in each.samples}
    found: dict[tuple[int, int], int] = {}
    for each in find_regions(contexts):
        for number, context in enumerate(each.contexts):
            for bit in numbers_in(each.near(number)):
                one, other = number_of[context.samples[0]], number_of[each.samples[bit]]
                pair = min(one, other), max(one, other)
                found[pair] = found.get(pair, 0) + 1
    for (one, other), times in found.items():
        assert times == len(contexts[one].samples) + len(contexts[other].samples)
    return set(found)


def wanted_pairs(contexts: Sequence[Context]) -> Pairs:
    sets = [shingles_of(context.text) for context in contexts]
    return {
        (one, other)
        for one, other in similar_pairs(sets, Fraction(*NEAR))
        if contexts[one].file is None or contexts[one].file != contexts[other].file
    }


@st.composite
def some_contexts(draw: st.DrawFn) -> list[Context]:
    """Copies of a few texts, with words changed; the shortest have fewer tokens than a shingle."""
    words = st.integers(0, draw(st.sampled_from([1, 2, 300]))).map(str)
    sources = draw(st.lists(st.lists(words, min_size=1, max_size=60), min_size=1, max_size=3))
    contexts: list[Context] = []
    samples = 0
    for _ in range(draw(st.integers(1, 25))):
        text = list(draw(st.sampled_from(sources)))
        for at, new in draw(st.lists(st.tuples(st.integers(0, 59), words), max_size=3)):
            text[at % len(text)] = new
        text = text[: draw(st.sampled_from([60, 60, 20, 4]))]
        count = draw(st.sampled_from([1, 1, 3]))
        file = draw(st.sampled_from([None, 0, 1, 2]))
        contexts.append(Context(" ".join(text), tuple(range(samples, samples + count)), file))
        samples += count
    return contexts


@pytest.mark.parametrize("one_by_one", [0, 10, 10**6], ids=["counted", "either", "compared"])
def test_near_contexts_are_those_of_all_pairs(
    monkeypatch: pytest.MonkeyPatch, one_by_one: int
) -> None:
    monkeypatch.setattr(region, "ONE_BY_ONE", one_by_one)

    @settings(deadline=None, max_examples=80, database=None)
    @given(contexts=some_contexts())
    def hold(contexts: list[Context]) -> None:
        assert found_pairs(contexts) == wanted_pairs(contexts)

    hold()


def test_hashes_that_collide_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All shingles in one place of the table: then each counts as one that others may have."""
    monkeypatch.setattr(shingles, "_seen", lambda texts: bytearray([2]))
    words = [str(n) for n in range(80)]
    texts = [" ".join([*words[:n], "new", *words[n + 1 :]]) for n in range(0, 80, 5)]
    contexts = [Context(text, (n,), n) for n, text in enumerate(texts)]
    assert found_pairs(contexts) == wanted_pairs(contexts) != set()


@pytest.mark.parametrize(
    ("size", "shared", "near"),
    [(9, 8, True), (18, 16, True), (18, 15, False), (900, 800, True), (900, 799, False)],
)
def test_the_share_is_exact(size: int, shared: int, near: bool) -> None:
    """8 of 10 is near, as 4 of 5 is; no rounding decides."""
    # beyond what both begin with, every shingle has a word of its own text
    start = [f"w{n}" for n in range(shared + 4)]
    rest = size - shared
    texts = [" ".join([*start, *(f"{name}{n}" for n in range(rest))]) for name in "ab"]
    contexts = [Context(text, (n,), n) for n, text in enumerate(texts)]
    assert [len(shingles_of(text)) for text in texts] == [size, size]
    assert bool(found_pairs(contexts)) is near
