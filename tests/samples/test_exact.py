"""find_leaks and split among many near-copies: the answers of their obvious forms, pair by pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples.leakage import DataFile, find_leaks
from iacfilter_hpc.samples.near import region
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.split import Sizes, Split, _Work, split
from tests.bench.copies import SORTS, made
from tests.samples import obvious
from tests.samples.made import sample


def check(files: Sequence[Sequence[Sample]]) -> int:
    """Hold what is found in these files to the obvious form; answers the number of pairs."""
    data = [DataFile(str(number), tuple(each)) for number, each in enumerate(files)]
    starts = [sum(map(len, files[:number])) for number in range(len(files))]
    leaks, repeats = find_leaks(data)
    pairs: Counter[obvious.Pair] = Counter()
    for leak in leaks:
        each = list(leak.each_pair())
        assert len(each) == leak.pairs
        assert {place for pair in each for place in pair} <= {*leak.places}
        for one, other in each:
            pairs[
                leak.kind, starts[one.data] + one.row - 1, starts[other.data] + other.row - 1
            ] += 1
    wanted = obvious.leaks(data)
    assert pairs == wanted.pairs
    inside = [
        tuple(starts[place.data] + place.row - 1 for place in repeat.places)
        for each in repeats
        if each.kind == "near-context"
        for repeat in each.each
    ]
    assert len(inside) == len(set(inside))
    assert set(inside) == wanted.inside
    return pairs.total()


def dealt(samples: Sequence[Sample], seed: int) -> list[list[Sample]]:
    """The samples in three files, the first of which has most."""
    files: list[list[Sample]] = [[], [], []]
    random = Random(seed)
    for each in samples:
        files[random.choice((0, 0, 0, 1, 2))].append(each)
    return files


@pytest.mark.parametrize("sort", SORTS)
def test_leaks_are_those_of_all_pairs(sort: str) -> None:
    found = check(dealt(list(made(sort, 300)), 1))
    assert found > 100


def test_leaks_where_regions_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a hundred samples were a hundred thousand: few masks are kept, most are made."""
    monkeypatch.setattr(region, "WIDE", 8)
    samples = list(made("mixed", 300))
    check(dealt(samples, 2))
    # files of one path that name no repository are one file, whose lines are not compared
    check(
        dealt([replace(one, repo=None, file=f"f{n % 3}.yml") for n, one in enumerate(samples)], 3)
    )


SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 2),  # the context that it is a copy of
        st.lists(st.tuples(st.integers(0, 43), st.integers(0, 2)), max_size=2),  # changed words
        st.integers(0, 4),  # file; 0: one of its own
        st.integers(0, 3),  # family; 0: none
        st.booleans(),  # label
    ),
    min_size=4,
    max_size=40,
)
Rows = list[tuple[int, list[tuple[int, int]], int, int, bool]]


def copies(rows: Rows) -> list[Sample]:
    """Samples whose contexts are near-copies of three."""
    samples = []
    for number, (base, changes, file, family, label) in enumerate(rows):
        own, words = sample(100 + number), sample(base).with_context.split(" ")
        for at, new in changes:
            words[at] = f"new{new}"
        samples.append(
            replace(
                own,
                with_context=" ".join(words),
                file=f"f{file}.yml" if file else own.file,
                repo=None,
                family=f"family{family}" if family else None,
                label="TP" if label else "FP",
            )
        )
    return samples


@settings(deadline=None, max_examples=100, database=None)
@given(rows=SAMPLES, seed=st.integers(0, 9))
def test_leaks_of_a_few_copies(rows: Rows, seed: int) -> None:
    check(dealt(copies(rows), seed))


def split_both(samples: Sequence[Sample], sizes: Sizes, seed: int) -> Split | None:
    """The split, which is that of the obvious form; None if both say that there is none."""

    def outcome(work: type[_Work]) -> Split | str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("iacfilter_hpc.samples.split._Work", work)
            try:
                return split(samples, sizes, "auto", seed)
            except DataError as error:
                return error.text()

    found = outcome(_Work)
    assert found == outcome(obvious.ObviousWork)
    return found if isinstance(found, Split) else None


@settings(deadline=None, max_examples=60, database=None)
@given(
    rows=SAMPLES,
    shares=st.sampled_from([(0.6, 0.4), (0.5, 0.25, 0.25), (0.4, 0.3, 0.2)]),
    exact=st.booleans(),
    seed=st.integers(0, 3),
)
def test_a_split_of_a_few_copies(
    rows: Rows, shares: tuple[float, ...], exact: bool, seed: int
) -> None:
    samples = copies(rows)
    split_both(samples, Sizes(tuple(max(1, int(s * len(rows))) for s in shares), exact), seed)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("exact", [True, False])
def test_a_split_that_tears_copies_apart(
    monkeypatch: pytest.MonkeyPatch, sort: str, exact: bool
) -> None:
    """As if joined groups never fitted: of each pair in two splits, the same one must leave."""
    monkeypatch.setattr(_Work, "joined", lambda work: None)
    samples = list(made(sort, 240))
    found = split_both(samples, Sizes((120, 30, 30), exact), 1)
    if sort == "mixed" and not exact:
        assert found is not None
        assert any(out.kind == "near-context" for out in found.left_out)
