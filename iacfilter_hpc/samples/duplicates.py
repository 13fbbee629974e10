"""Duplicates: ties between samples of the same code, nearly the same code, or the same origin.

Texts compare without case, white space and quotes, since those change nothing a model could learn
from; names of smells, files and repositories by what they stand for. A context is nearly the same
if its shingles of five tokens overlap by 0.8 (Jaccard).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Literal

from iacfilter_hpc.samples.hashes import QUOTES, normalised, same_file, same_repo, same_smell

if TYPE_CHECKING:
    from iacfilter_hpc.samples.sample import Sample

Kind = Literal["content", "context", "near-context", "file", "repo", "family"]
CODE: tuple[Kind, ...] = ("content", "context", "near-context")
ORIGIN: tuple[Kind, ...] = ("file", "repo", "family")
KINDS = CODE + ORIGIN
MEANING: dict[Kind, str] = {
    "content": "same smell and same reported line",
    "context": "same lines around it",
    "near-context": "nearly the same lines around it",
    "file": "same file",
    "repo": "same repository",
    "family": "same family of repositories",
}

SHINGLE = 5
"""Tokens of a shingle: single ones, such as `name` and `:`, are in most scripts."""
NEAR = 0.8
TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Tie:
    """Samples that belong together, as indices. Each of `left` is tied to each of `right`.

    `right` is `left` where the tie is an equality. `what` is what they share, for a person.
    """

    kind: Kind
    what: str
    left: tuple[int, ...]
    right: tuple[int, ...]

    @property
    def members(self) -> tuple[int, ...]:
        """All samples of the tie, in order."""
        return tuple(sorted({*self.left, *self.right}))


def find_ties(samples: Sequence[Sample], kinds: Sequence[Kind] = KINDS) -> list[Tie]:
    """Every tie of these kinds between two or more samples, in the order of `kinds`."""
    # lists and dicts in the samples' order throughout, never sets alone: whoever splits by these
    # ties must get the same split in every process, whatever Python's hash seed is
    ties: list[Tie] = []
    for kind in kinds:
        ties += _near_contexts(samples) if kind == "near-context" else _equal(samples, kind)
    return ties


def _content(sample: Sample) -> Hashable:
    text = normalised(sample.content)
    # the smell is part of it: the same line, reported for another one, is another question
    return (same_smell(sample.smell), text) if text else None


def _context(sample: Sample) -> Hashable:
    return normalised(sample.with_context) or None


KEYS: dict[Kind, Callable[[Sample], Hashable]] = {
    "content": _content,
    "context": _context,
    "repo": lambda sample: same_repo(sample.repo),
    "family": lambda sample: sample.family,
}
SHOWN: dict[Kind, Callable[[Sample], str]] = {
    "content": lambda sample: sample.content,
    "context": lambda sample: sample.content,
    "file": lambda sample: sample.file,
    "repo": lambda sample: sample.repo or "",
    "family": lambda sample: sample.family or "",
}


def _equal(samples: Sequence[Sample], kind: Kind) -> Iterator[Tie]:
    """A tie for each value that two or more samples share; None is no value."""
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    key = _file_key(samples) if kind == "file" else KEYS[kind]
    for index, sample in enumerate(samples):
        value = key(sample)
        if value is not None:
            found[value].append(index)
    for members in found.values():
        if len(members) > 1:
            indices = tuple(members)
            yield Tie(kind, SHOWN[kind](samples[members[0]]), indices, indices)


def _file_key(samples: Sequence[Sample]) -> Callable[[Sample], Hashable]:
    """Files of one path are the same file unless all of them say which repository they are of."""
    # a sample that names no repository may be of any: main.yml is then every main.yml. Better tied
    # without need than leaked
    unplaced = {same_file(sample.file) for sample in samples if sample.repo is None}

    def key(sample: Sample) -> Hashable:
        file = same_file(sample.file)
        return (None if file in unplaced else same_repo(sample.repo), file)

    return key


def _near_contexts(samples: Sequence[Sample]) -> Iterator[Tie]:
    """Ties between contexts that differ, but little, in different files."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        if text := normalised(sample.with_context):
            places[text].append(index)
    # equal contexts count once: of n copies, n * n pairs would be compared
    members = [tuple(indices) for indices in places.values()]
    key = _file_key(samples)
    files = [{key(samples[index]) for index in indices} for indices in members]
    shingles = [_shingles(samples[indices[0]].with_context) for indices in members]
    for one, other in similar_pairs(shingles, NEAR):
        # neighbouring lines of one file have most of their context in common
        if len(files[one] | files[other]) > 1:
            yield Tie(
                "near-context", samples[members[one][0]].content, members[one], members[other]
            )


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    tokens = TOKEN.findall(text.casefold().translate(QUOTES))
    # a text of fewer tokens is one short shingle: similar_pairs takes no empty sets
    count = max(1, len(tokens) - SHINGLE + 1)
    return frozenset(tuple(tokens[start : start + SHINGLE]) for start in range(count))


def similar_pairs(
    sets: Sequence[frozenset[tuple[str, ...]]], least: float
) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of sets that are not empty and whose Jaccard index is >= `least`.

    Exact. Two such sets share one of the rarest elements of each, and an index of those finds the
    pairs: Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins", ICDE 2006.
    """
    # numbers compare faster than shingles
    numbers: dict[tuple[str, ...], int] = {}
    numbered = [frozenset(numbers.setdefault(e, len(numbers)) for e in each) for each in sets]
    frequency = Counter(element for each in numbered for element in each)
    index: defaultdict[int, list[int]] = defaultdict(list)
    for number, each in enumerate(numbered):
        rare = sorted(each, key=lambda element: (frequency[element], element))
        # 0.8 * 5 must be 4, not 4.000000001
        prefix = rare[: len(each) - ceil(least * len(each) - 1e-9) + 1]
        candidates = {other for element in prefix for other in index[element]}
        # sorted, as the order of a set of numbers is nobody's promise
        for other in sorted(candidates):
            shared = len(each & numbered[other])
            if shared >= least * (len(each) + len(numbered[other]) - shared) - 1e-9:
                yield other, number
        # only now, so that none is a candidate for itself, and each pair is found once
        for element in prefix:
            index[element].append(number)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Duplicate sample, and the one that stays in its place."""

    sample: Sample
    first: Sample


def without_duplicates(samples: Sequence[Sample]) -> tuple[list[Sample], list[Duplicate]]:
    """Samples without duplicates: the first of each smell and normalised content; and the others.

    The same context with another reported line is another sample: small scripts have such.
    A reported line without any text is like no other.
    """
    first: dict[tuple[str, str], Sample] = {}
    kept: list[Sample] = []
    duplicates: list[Duplicate] = []
    for sample in samples:
        text = normalised(sample.content)
        key = (same_smell(sample.smell), text)
        if text and key in first:
            duplicates.append(Duplicate(sample, first[key]))
        else:
            first[key] = sample
            kept.append(sample)
    return kept, duplicates
