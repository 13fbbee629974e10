"""Samples with many near-duplicates, made here, seeded: what iacfilter-data check is measured on.

A script is copied from one repository to the next with a word changed, and much that is in it is in
every other script too. Nothing is taken from real data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

from iacfilter_hpc.samples.prompt import build_prompt
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.smells import FILTERED

LINES, REPORTED = 11, 5
LETTERS = "abcdefghijklmnopqrstuvwxyz"
KEYS = "name path owner group mode state url port token user home service source target".split()
COMMON = "become: yes|notify: restart|tags: [base]|ignore_errors: no|state: present".split("|")


def word(random: Random) -> str:
    """A word that no other text has."""
    return "".join(random.choices(LETTERS, k=9))


def script(random: Random) -> list[str]:
    """Lines around a reported one: a third are in most scripts, the others are of this one."""
    own = [
        f"{random.choice(KEYS)}: {word(random)} {random.choice(KEYS)} {word(random)}"
        for _ in range(LINES)
    ]
    return [random.choice(COMMON) if n % 3 == 0 else line for n, line in enumerate(own)]


def changed(
    lines: list[str], random: Random, words: int, new: Callable[[Random], str]
) -> list[str]:
    """A copy with some of its words changed."""
    copy = list(lines)
    for _ in range(words):
        at = random.randrange(LINES)
        parts = copy[at].split(" ")
        parts[random.randrange(len(parts))] = new(random)
        copy[at] = " ".join(parts)
    return copy


def mixed(random: Random, count: int) -> Iterator[list[str]]:
    """Half are scripts of their own, half copies; the clusters grow as the samples do."""
    sources = [script(random) for _ in range(40)]
    for number in range(count):
        if number % 2:
            yield script(random)
        else:
            # few are copied often, many seldom
            source = sources[int(len(sources) * random.random() ** 2)]
            yield changed(source, random, random.randint(1, 2), word)


def copied(random: Random, count: int) -> Iterator[list[str]]:
    """Three of four are copies of one of forty scripts, a word changed in each."""
    sources = [script(random) for _ in range(40)]
    for number in range(count):
        source = sources[int(len(sources) * random.random() ** 2)]
        yield changed(source, random, 1, word) if number % 4 else script(random)


def families(random: Random, count: int) -> Iterator[list[str]]:
    """Clusters of 2 to 50 copies, more of them as there are more samples."""
    while True:
        source = script(random)
        for _ in range(random.randint(2, 50)):
            yield changed(source, random, random.randint(0, 2), word)


def one_cluster(random: Random, count: int) -> Iterator[list[str]]:
    """Copies of one script, a word changed in each: all are near to all."""
    source = script(random)
    while True:
        yield changed(source, random, 1, word)


def half_a_cluster(random: Random, count: int) -> Iterator[list[str]]:
    """A cluster of half of the samples, the others on their own."""
    source = script(random)
    for number in range(count):
        yield changed(source, random, 1, word) if number % 2 else script(random)


def apart(random: Random, count: int) -> Iterator[list[str]]:
    """Copies of one script, four words changed to some of 300: alike, and few are near."""
    source, words = script(random), [word(random) for _ in range(300)]
    while True:
        yield changed(source, random, 4, lambda some: some.choice(words))


def common(random: Random, count: int) -> Iterator[list[str]]:
    """Scripts made of the same forty lines in any order."""
    lines = [line for _ in range(4) for line in script(random)][:40]
    while True:
        yield random.choices(lines, k=LINES)


def own(random: Random, count: int) -> Iterator[list[str]]:
    """Scripts of their own: no two are near."""
    while True:
        yield script(random)


SORTS: dict[str, Callable[[Random, int], Iterator[list[str]]]] = {
    "mixed": mixed,
    "copied": copied,
    "families": families,
    "one-cluster": one_cluster,
    "half-a-cluster": half_a_cluster,
    "apart": apart,
    "common": common,
    "own": own,
}


def made(sort: str, count: int, seed: int = 1) -> Iterator[Sample]:
    """Samples of a sort, three of each file, ten files of each repository."""
    random = Random(f"{sort} {seed}")
    for number, lines in enumerate(islice(SORTS[sort](random, count), count)):
        yield sample(number, lines, "TP" if random.random() < 0.3 else "FP")


def sample(number: int, lines: list[str], label: str) -> Sample:
    """The sample of this number around these lines, a third of the way between two others."""
    site, file = number // 30, f"roles/r{number // 3}/tasks/main.yml"
    smell, start = FILTERED[number % len(FILTERED)], 1 + 30 * (number % 3)
    reported = start + REPORTED
    return Sample(
        smell=smell,
        file=file,
        content=lines[REPORTED],
        line=reported,
        detection_span=(start, start + len(lines) - 1),
        with_context="\n".join(lines),
        with_prompt=build_prompt(smell, file, reported, start, lines),
        label="TP" if label == "TP" else "FP",
        source="made",
        technology="ansible",
        repo=f"owner/site-{site}",
        family=None,
    )
