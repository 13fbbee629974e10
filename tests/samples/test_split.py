"""iacfilter_hpc.samples.split: nothing shared, sizes kept, the same for everyone."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples.assignment import Goal, _Search, assign
from iacfilter_hpc.samples.duplicates import CODE
from iacfilter_hpc.samples.leakage import DataFile, find_leaks
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.split import KEPT_WHOLE, By, Sizes, Split, split
from tests.samples.made import REPOSITORY, numbered, sample


def grouped(sizes: Sequence[int], *, by: str = "family") -> list[Sample]:
    """Groups of these sizes; each sample in a file of its own unless by is file."""
    samples = []
    for group, size in enumerate(sizes):
        for _ in range(size):
            n = len(samples)
            one = sample(n, label="TP" if Random(n).random() < 0.3 else "FP")
            samples.append(replace(one, **{by: f"group-{group}"}))
    return samples


def leaks(samples: Sequence[Sample], found: Split) -> list[str]:
    files = [
        DataFile(str(i), tuple(samples[index] for index in part))
        for i, part in enumerate(found.parts)
    ]
    return [leak.kind for leak in find_leaks(files)[0]]


def sizes_of(found: Split) -> list[int]:
    return [len(part) for part in found.parts]


def accounted(samples: Sequence[Sample], found: Split) -> bool:
    """Whether each sample is in one place."""
    places = [index for part in found.parts for index in part]
    places += [out.index for out in found.left_out]
    return sorted(places) == list(range(len(samples)))


def test_exact_sizes_of_more_than_enough() -> None:
    samples = grouped([7, 3, 12, 1, 5, 8, 2, 9, 4, 6] * 3)
    found = split(samples, Sizes((100, 20, 10), exact=True), "auto", 0)
    assert sizes_of(found) == [100, 20, 10]
    assert leaks(samples, found) == []
    assert accounted(samples, found)
    assert found.joined


def test_all_samples_are_used_where_whole_groups_fit() -> None:
    samples = grouped([30, 20, 20, 5, 5, 5, 5, 4, 3, 3])
    found = split(samples, Sizes((80, 20), exact=True), "auto", 0)
    assert sizes_of(found) == [80, 20]
    assert found.left_out == ()


def test_shares_keep_whole_groups() -> None:
    samples = grouped([10] * 10)
    found = split(samples, Sizes((84, 16), exact=False), "auto", 0)
    assert sizes_of(found) == [80, 20] or sizes_of(found) == [90, 10]
    assert found.left_out == ()


def test_strata_come_out_alike() -> None:
    samples = numbered(0, 600)
    found = split(samples, Sizes((400, 100), exact=True), "auto", 5)
    whole = Counter((s.technology, s.smell, s.label) for s in samples)
    for part, size in zip(found.parts, (400, 100), strict=True):
        counts = Counter((samples[i].technology, samples[i].smell, samples[i].label) for i in part)
        for stratum, count in whole.items():
            assert abs(counts[stratum] - size * count / 600) <= 1


def test_a_group_that_is_too_large_is_trimmed() -> None:
    samples = grouped([60, 10, 10])
    found = split(samples, Sizes((50, 10), exact=True), "auto", 0)
    assert sizes_of(found) == [50, 10]
    assert Counter(out.reason for out in found.left_out)["train has enough"] >= 10
    assert leaks(samples, found) == []


def test_what_is_trimmed_leaves_the_strata_as_they_were() -> None:
    one = [replace(s, label="TP", smell="use_of_http", technology="chef") for s in grouped([100])]
    samples = [replace(s, label="FP") if n % 5 else s for n, s in enumerate(one)]
    samples += [replace(s, technology="chef") for s in numbered(500, 5)]
    found = split(samples, Sizes((50, 5), exact=True), "auto", 0)
    labels = Counter(samples[index].label for index in found.parts[0])
    assert abs(labels["TP"] - 10) <= 1


@pytest.mark.parametrize(
    ("groups", "sizes", "message", "hint"),
    [
        ([10], Sizes((6, 2), True), "10 samples in 1 group cannot be split 6/2", "possible here"),
        ([10], Sizes((8, 2), False), "10 samples in 1 group cannot be split 8/2", "10/0"),
        ([10, 10], Sizes((5, 5, 5), True), "20 samples in 2 groups cannot be split 5/5/5", "/"),
        ([10, 10], Sizes((11, 9), True), "20 samples in 2 groups cannot be split 11/9", "10/10"),
        ([10, 10], Sizes((20, 9), True), "29 samples are asked for, there are 20", ""),
    ],
)
def test_sizes_that_cannot_be_reached(
    groups: list[int], sizes: Sizes, message: str, hint: str
) -> None:
    with pytest.raises(DataError) as caught:
        split(grouped(groups), sizes, "auto", 0)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


def test_groups_that_share_code_stay_together() -> None:
    samples = grouped([4] * 20)
    for n in range(0, 40, 8):
        samples[n + 4] = replace(samples[n + 4], content=samples[n].content, smell=samples[n].smell)
    found = split(samples, Sizes((48, 16), exact=True), "auto", 0)
    assert found.joined
    assert found.units == 15
    assert leaks(samples, found) == []


def test_code_that_chains_all_groups_is_left_out_of_the_smaller_split() -> None:
    samples = grouped([5] * 20)
    for n in range(0, 100, 5):
        samples[n] = replace(samples[n], content="user: root", smell="hard_coded_secret")
    found = split(samples, Sizes((60, 20), exact=True), "auto", 0)
    assert not found.joined
    assert sizes_of(found) == [60, 20]
    assert leaks(samples, found) == []
    reasons = Counter(out.reason for out in found.left_out)
    assert reasons["its content is in train too"] >= 4
    assert accounted(samples, found)


def test_near_copies_that_chain_all_groups() -> None:
    samples = grouped([2] * 12)
    words = samples[0].with_context.split(" ")
    for n in range(0, 24, 2):
        changed = [*words[:-2], f"changed{n}", words[-1]]
        samples[n] = replace(samples[n], with_context=" ".join(changed))
    found = split(samples, Sizes((12, 4), exact=False), "auto", 0)
    assert not found.joined
    assert leaks(samples, found) == []
    assert {out.reason for out in found.left_out} >= {"its near-context is in train too"}


@pytest.mark.parametrize("by", ["family", "repo", "file"])
def test_what_is_kept_whole(by: By) -> None:
    samples = grouped([5] * 20, by=by)
    found = split(samples, Sizes((70, 25), exact=True), by, 1)
    assert not set(leaks(samples, found)) & {*KEPT_WHOLE[by], *CODE}


def test_auto_takes_the_largest_group_that_is_known() -> None:
    samples = numbered(0, 60)
    for n in range(20):
        samples[n] = replace(samples[n], family=f"f{n // 5}")
    for n in range(20, 40):
        samples[n] = replace(samples[n], family=None, repo=f"r{n // 5}")
    for n in range(40, 60):
        samples[n] = replace(samples[n], family=None, repo=None, file=f"file{n // 5}.yml")
    found = split(samples, Sizes((40, 20), exact=False), "auto", 0)
    assert found.units == 12
    assert leaks(samples, found) == []


@pytest.mark.parametrize("by", ["repo", "family"])
def test_samples_that_do_not_say_their_group(by: By) -> None:
    samples = numbered(0, 10)
    samples[3] = replace(samples[3], repo=None, family=None)
    with pytest.raises(DataError) as caught:
        split(samples, Sizes((6, 3), exact=True), by, 0)
    place = f"{samples[3].file}:20"
    assert caught.value.message == f"1 of 10 samples name no {by}, the first is {place}"


def test_a_seed_is_a_split_and_another_seed_another() -> None:
    samples = numbered(0, 100)
    sizes = Sizes((60, 20), exact=True)
    assert split(samples, sizes, "auto", 1) == split(samples, sizes, "auto", 1)
    assert split(samples, sizes, "auto", 1) != split(samples, sizes, "auto", 2)


def test_the_order_of_the_input_does_not_matter() -> None:
    samples = grouped([3, 1, 4, 1, 5, 9, 2, 6] * 3)
    shuffled = Random(0).sample(samples, len(samples))
    sizes = Sizes((50, 12), exact=True)
    keys = [
        [{s[index].key for index in part} for part in split(s, sizes, "auto", 3).parts]
        for s in (samples, shuffled)
    ]
    assert keys[0] == keys[1]


PROGRAM = """
from tests.samples.test_split import grouped
from iacfilter_hpc.samples.split import Sizes, split
samples = grouped([3, 1, 4, 1, 5, 9, 2, 6] * 3)
for n in range(0, 60, 7):
    samples[n] = samples[n + 1]
print(split(samples, Sizes((50, 12), exact=True), "auto", 3))
"""


def test_a_split_is_the_same_in_every_process() -> None:
    """Whatever the seed of Python's hashes: sets must not decide anything."""
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(found) == 1
    assert "parts=" in found.pop()


def test_the_cost_of_a_search_is_that_of_its_counts() -> None:
    random = Random(0)
    units = [[random.randrange(5) for _ in range(random.randint(1, 9))] for _ in range(40)]
    goal = Goal((60, 30), ((20, 10, 10, 10, 10), (10, 5, 5, 5, 5)), spare=True)
    search = _Search(units, goal)
    search.start(random, large_first=True)
    search.improve(random)
    again = _Search(units, goal)
    for unit, part in enumerate(search.split_of):
        again._move(unit, part, again._change(unit, part))
    assert again.cost == pytest.approx(search.cost)
    assert again.counts == search.counts
    sizes = [sum(counts) for counts in search.counts]
    assert sizes == search.sizes
    assert search.cost < _Search(units, goal).cost / 10


def test_units_of_one_sort_are_assigned_to_the_sample() -> None:
    found = assign([[0]] * 10, Goal((6, 3), ((6.0,), (3.0,)), spare=True), 0)
    assert Counter(found) == {0: 6, 1: 3, 2: 1}


def test_large_units_come_first_where_random_ones_leave_a_gap() -> None:
    sizes = [27, 12, 14, 12, 1, 18, 18]
    found = assign([[0] * size for size in sizes], Goal((61, 30), ((61.0,), (30.0,)), True), 0)
    filled = [sum(size for size, to in zip(sizes, found, strict=True) if to == n) for n in (0, 1)]
    assert filled[0] >= 61
    assert filled[1] >= 30


SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 8),  # family
        st.integers(0, 15),  # code
        st.sampled_from(["TP", "FP"]),
        st.integers(0, 3),  # 0: another file
    ),
    min_size=2,
    max_size=60,
)


@settings(deadline=None, max_examples=120, database=None)
@given(
    rows=SAMPLES,
    shares=st.sampled_from([(0.5, 0.25), (0.6, 0.2), (0.5, 0.2, 0.2), (0.8, 0.2)]),
    exact=st.booleans(),
    seed=st.integers(0, 5),
)
def test_a_split_never_leaks(
    rows: list[tuple[int, int, str, int]], shares: tuple[float, ...], exact: bool, seed: int
) -> None:
    """Whatever the data: nothing is shared, exact sizes are exact, or an error says why not."""
    samples = []
    for number, (family, code, label, same) in enumerate(rows):
        base = sample(code)
        own = sample(100 + number)
        samples.append(
            replace(
                own,
                family=f"f{family}" if family else None,
                repo=own.repo if same else None,
                smell=base.smell,
                content=base.content if same > 1 else own.content,
                with_context=base.with_context if same == 2 else own.with_context,
                label=label,  # type: ignore[arg-type]
            )
        )
    counts = tuple(max(1, int(share * len(samples))) for share in shares)
    try:
        found = split(samples, Sizes(counts, exact), "auto", seed)
    except DataError as error:
        assert "cannot be split" in error.message or "are asked for" in error.message
        return
    assert leaks(samples, found) == []
    assert accounted(samples, found)
    assert all(found.parts)
    if exact:
        assert tuple(sizes_of(found)) == counts
