"""Duplicates: ties between samples of the same code, nearly the same code, or the same origin.

Texts compare without case, white space and quotes, since those change nothing a model could learn
from; names of smells, files and repositories by what they stand for. A context is nearly the same
if its shingles of five tokens overlap by 0.8 (Jaccard), and it is in another file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iacfilter_hpc.samples.hashes import QUOTES, normalised, same_file, same_repo, same_smell
from iacfilter_hpc.samples.near.region import Context, Region, find_regions

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


@dataclass(frozen=True, slots=True)
class Tie:
    """Samples that belong together, as indices in order. `what` is what they share, for a person.

    Any two are tied, but for near contexts: of those each is tied to some other one.
    """

    kind: Kind
    what: str
    members: tuple[int, ...]


def find_ties(samples: Sequence[Sample], kinds: Sequence[Kind] = KINDS) -> list[Tie]:
    """Every tie of these kinds between two or more samples, in the order of `kinds`."""
    # lists and dicts in the samples' order throughout, never sets alone: whoever splits by these
    # ties must get the same split in every process, whatever Python's hash seed is
    ties: list[Tie] = []
    for kind in kinds:
        near = kind == "near-context"
        ties += tie_clusters(samples, near_regions(samples)) if near else _equal(samples, kind)
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
            yield Tie(kind, SHOWN[kind](samples[members[0]]), indices)


def _file_key(samples: Sequence[Sample]) -> Callable[[Sample], Hashable]:
    """Files of one path are the same file unless all of them say which repository they are of."""
    # a sample that names no repository may be of any: main.yml is then every main.yml. Better tied
    # without need than leaked
    unplaced = {same_file(sample.file) for sample in samples if sample.repo is None}

    def key(sample: Sample) -> Hashable:
        file = same_file(sample.file)
        return (None if file in unplaced else same_repo(sample.repo), file)

    return key


def near_regions(samples: Sequence[Sample]) -> list[Region]:
    """Regions of the contexts that differ; equal ones count once, and empty ones never."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        if text := normalised(sample.with_context):
            members[text].append(index)
    key = _file_key(samples)
    numbers: dict[Hashable, int] = {}
    contexts = []
    for indices in members.values():
        files = {numbers.setdefault(key(samples[i]), len(numbers)) for i in indices}
        text = samples[indices[0]].with_context.casefold().translate(QUOTES)
        contexts.append(Context(text, tuple(indices), files.pop() if len(files) == 1 else None))
    return find_regions(contexts)


def tie_clusters(samples: Sequence[Sample], regions: Sequence[Region]) -> list[Tie]:
    """A tie for each cluster of near contexts, by their first samples."""
    clusters = sorted(cluster for region in regions for cluster in region.clusters())
    return [Tie("near-context", samples[each[0]].content, each) for each in clusters]


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
