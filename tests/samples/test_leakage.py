"""iacfilter_hpc.samples.leakage: every planted leak is found, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from iacfilter_hpc.samples.duplicates import KINDS, Kind
from iacfilter_hpc.samples.leakage import DataFile, Repeats, find_leaks
from iacfilter_hpc.samples.sample import Sample, read_samples
from iacfilter_hpc.samples.smells import NAMES, SMELLS
from tests.samples.made import DEMO, REAL_DATA, numbered, sample

Pair = tuple[Kind, int, int]
"""A kind of leak, the row in train and the row in validation."""

Plant = Callable[[Sample, Sample], Sample]
"""Of a training sample and an innocent validation sample: what leaks."""


def exact(leaked: Sample, innocent: Sample) -> Sample:
    """The same detection in a file of another name and repository."""
    return replace(leaked, file=innocent.file, repo=innocent.repo, family=innocent.family)


def variant(leaked: Sample, innocent: Sample) -> Sample:
    """The same reported line in other case, spacing and quotes; the code around it differs."""
    content = leaked.content.replace(" ", "   ").upper() + " ''"
    return replace(innocent, smell=leaked.smell, content=content)


def moved(leaked: Sample, innocent: Sample) -> Sample:
    """The same code around another reported line, in another file."""
    context = leaked.with_context.replace("\n", "\n\t").upper()
    return replace(innocent, with_context=context)


def near(leaked: Sample, innocent: Sample) -> Sample:
    """The same code with one word of 44 changed."""
    words = leaked.with_context.split(" ")
    words[-2] = "changed"
    return replace(innocent, with_context=" ".join(words))


def same_file(leaked: Sample, innocent: Sample) -> Sample:
    """Another line of the same file, where only one of the two names its repository."""
    return replace(innocent, file=leaked.file, repo=None, family=None)


def same_repo(leaked: Sample, innocent: Sample) -> Sample:
    """Another file of the same repository."""
    return replace(innocent, repo=leaked.repo)


def same_family(leaked: Sample, innocent: Sample) -> Sample:
    """A file of a fork."""
    return replace(innocent, family=leaked.family)


PLANTS: dict[Plant, tuple[Kind, ...]] = {
    exact: ("content", "context"),
    variant: ("content",),
    moved: ("context",),
    near: ("near-context",),
    same_file: ("file",),
    same_repo: ("repo",),
    same_family: ("family",),
}
EACH = 10


def planted() -> tuple[list[Sample], list[Sample], set[Pair]]:
    """A train and a validation file with EACH leaks of every sort, and what must be found."""
    train, validation = numbered(0, 200), numbered(1000, 150)
    wanted: set[Pair] = set()
    row = 0
    for plant, kinds in PLANTS.items():
        for _ in range(EACH):
            # leaks stand between innocent samples, at different rows of the two files
            leaked, innocent = train[2 * row], validation[row + 30]
            validation[row + 30] = plant(leaked, innocent)
            wanted |= {(kind, 2 * row + 1, row + 31) for kind in kinds}
            row += 1
    return train, validation, wanted


def pairs(*files: list[Sample]) -> list[Pair]:
    leaks, _ = find_leaks([DataFile(str(i), tuple(file)) for i, file in enumerate(files)])
    found = []
    for leak in leaks:
        each = list(leak.each_pair())
        assert len(each) == leak.pairs
        found += [(leak.kind, one.row, other.row) for one, other in each]
    return found


def test_clean_files_share_nothing() -> None:
    assert pairs(numbered(0, 200), numbered(1000, 150)) == []
    assert pairs(numbered(0, 30), numbered(30, 30), numbered(60, 30)) == []


def test_every_planted_leak_is_found_and_no_other() -> None:
    train, validation, wanted = planted()
    found = pairs(train, validation)
    counts = Counter(kind for kind, _, _ in found)
    print(f"planted {len(wanted)} leaks, found {len(set(found) & wanted)} and {len(found)} in all")
    assert len(wanted) == 80
    assert set(found) == wanted
    assert len(found) == len(wanted), "each once"
    assert counts == {
        "content": 20,
        "context": 20,
        "near-context": 10,
        "file": 10,
        "repo": 10,
        "family": 10,
    }


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_one_leak_among_clean_samples(plant: Plant) -> None:
    train, validation = numbered(0, 20), numbered(1000, 20)
    validation[7] = plant(train[3], validation[7])
    assert pairs(train, validation) == [(kind, 4, 8) for kind in KINDS if kind in PLANTS[plant]]
    # which file comes first does not matter
    assert {kind for kind, _, _ in pairs(validation, train)} == set(PLANTS[plant])


def respelt_smell(leaked: Sample, innocent: Sample) -> Sample:
    """The same line, where the smell has GLITCH's code for a name."""
    title = SMELLS[NAMES.index(leaked.smell)].rules[-1].id
    return replace(innocent, smell=title, content=leaked.content)


def respelt_file(leaked: Sample, innocent: Sample) -> Sample:
    """The same file by a longer path."""
    file = f"./{leaked.file.replace('/', '//./')}"
    return replace(innocent, file=file, repo=None, family=None)


def respelt_repo(leaked: Sample, innocent: Sample) -> Sample:
    """The same repository in capital letters."""
    return replace(innocent, repo=(leaked.repo or "").upper())


def respelt_file_of_repo(leaked: Sample, innocent: Sample) -> Sample:
    """The same file of the same repository, both spelt otherwise."""
    return replace(respelt_repo(leaked, innocent), file=f".//{leaked.file}")


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (respelt_smell, ["content"]),
        (respelt_file, ["file"]),
        (respelt_repo, ["repo"]),
        (respelt_file_of_repo, ["file", "repo"]),
    ],
)
def test_a_leak_in_another_spelling_is_one(plant: Plant, kinds: list[Kind]) -> None:
    train, validation = numbered(0, 20), numbered(1000, 20)
    validation[7] = plant(train[3], validation[7])
    assert pairs(train, validation) == [(kind, 4, 8) for kind in kinds]
    # what a trained model remembers of its data is found again in the same way
    one, other = train[3], validation[7]
    same_code = one.content_hash == other.content_hash
    same_origin = not one.origin_hashes.isdisjoint(other.origin_hashes)
    assert same_code is (kinds == ["content"])
    assert same_origin is (bool({"repo"} & {*kinds}))


def test_a_leak_between_any_two_of_three_files() -> None:
    files = [numbered(0, 5), numbered(10, 5), numbered(20, 5)]
    files[1][2] = same_repo(files[0][1], files[1][2])
    files[2][3] = same_repo(files[0][1], files[2][3])
    assert pairs(*files) == [("repo", 2, 3), ("repo", 2, 4), ("repo", 3, 4)]


def test_pairs_within_a_file_are_no_leaks() -> None:
    one = sample(1)
    train = [one, replace(one, line=30), sample(2)]
    validation = [exact(one, sample(1000)), sample(1001)]
    assert pairs(train, validation) == [
        ("content", 1, 1),
        ("content", 2, 1),
        ("context", 1, 1),
        ("context", 2, 1),
    ]


def test_repetitions_in_one_file_are_counted() -> None:
    one, other = sample(1, label="TP"), sample(2)
    again = exact(one, other)
    file = DataFile("f", (one, again, replace(again, file="c.yml", label="FP"), sample(3)))
    leaks, repeats = find_leaks([file])
    assert leaks == []
    assert [counted(each) for each in repeats] == [
        (0, "content", 1, 2, 1),
        (0, "context", 1, 2, 0),
    ]
    assert [[place.row for place in each.each[0].places] for each in repeats] == [[1, 2, 3]] * 2


def counted(repeats: Repeats) -> tuple[int, Kind, int, int, int]:
    """File, kind, and how many: groups, samples beyond the first of each, groups of both labels."""
    numbers = len(repeats.each), repeats.surplus, repeats.contradictions
    return repeats.data, repeats.kind, *numbers


def test_of_repetitions_those_with_both_labels_come_first() -> None:
    first, second, third = numbered(0, 3)
    other = {"TP": "FP", "FP": "TP"}
    contrary = replace(exact(third, sample(10)), label=other[third.label or ""])
    unlabelled = replace(exact(second, sample(11)), label=None)
    file = DataFile("f", (first, second, third, exact(first, sample(12)), unlabelled, contrary))
    content = find_leaks([file])[1][0]
    assert [(each.contradictory, [p.row for p in each.places]) for each in content.each] == [
        (True, [3, 6]),
        (False, [1, 4]),
        (False, [2, 5]),
    ]


def test_a_line_reported_for_two_smells_is_no_repetition() -> None:
    one = sample(1, smell="use_of_http")
    file = DataFile("f", (one, replace(one, smell="empty_password")))
    assert find_leaks([file]) == ([], [])


def test_a_near_copy_in_one_file_is_counted_once() -> None:
    one = sample(1)
    file = DataFile("f", (one, near(one, sample(2)), sample(3)))
    other = DataFile("g", tuple(numbered(10, 3)))
    assert [counted(each) for each in find_leaks([other, file])[1]] == [
        (1, "near-context", 1, 1, 0)
    ]


def test_the_demo_shares_nothing() -> None:
    files = [read_samples(DEMO / f"{name}.jsonl") for name in ("train", "validation", "test")]
    assert pairs(*files) == []


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_the_real_corpus_shares_nothing_with_the_oracle() -> None:
    names = ("corpus/weak_train", "corpus/weak_val", "oracle/ansible_test", "oracle/chef_test")
    files = [read_samples(REAL_DATA / f"{name}.jsonl") for name in names]
    assert pairs(*files) == []
