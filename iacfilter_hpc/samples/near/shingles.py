"""Shingles of texts: five tokens in a row, numbered, the rare ones first."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

SHINGLE = 5
"""Tokens of a shingle: single ones, such as `name` and `:`, are in most scripts."""
TOKEN = re.compile(r"\w+|[^\w\s]")
NUMBER = 32
"""Bits of a shingle's number."""


@dataclass(frozen=True, slots=True)
class Shingled:
    """A text's shingles: how many differ, and the numbers of those that another text has too.

    `common` begins with those that the fewest texts have.
    """

    size: int
    common: array[int]

    @property
    def rare(self) -> int:
        """Shingles that no other text has."""
        return self.size - len(self.common)


def shingles_of(text: str) -> set[tuple[str, ...]]:
    """The shingles of a text; fewer tokens than a shingle has are one short shingle."""
    tokens = TOKEN.findall(text)
    if len(tokens) <= SHINGLE:
        return {tuple(tokens)}
    return set(zip(*(tokens[start:] for start in range(SHINGLE)), strict=False))


def shingle(texts: Sequence[str]) -> list[Shingled]:
    """The shingles of each text, with numbers that are those of all texts."""
    sizes, rows = _numbered(texts, _seen(texts))
    counts = array("I", [0]) * (1 + max((max(row) for row in rows if row), default=0))
    for row in rows:
        for number in row:
            counts[number] += 1
    return [Shingled(size, _rare_first(row, counts)) for size, row in zip(sizes, rows, strict=True)]


def _seen(texts: Sequence[str]) -> bytearray:
    """Whether a shingle was seen never, once or more often, by the last bits of its hash.

    Those of different shingles may be the same: what was seen once is in one text for certain, what
    was seen more often perhaps in several.
    """
    # about a shingle for eight characters, and twice as many places
    places = 1 << (sum(map(len, texts)) // 4).bit_length()
    seen = bytearray(places)
    for text in texts:
        for each in map(hash, shingles_of(text)):
            place = each & places - 1
            if seen[place] < 2:
                seen[place] += 1
    return seen


def _numbered(texts: Sequence[str], seen: bytearray) -> tuple[list[int], list[array[int]]]:
    """How many shingles each text has, and the numbers of those that others may have."""
    # most shingles are in one text alone: to number them all would take gigabytes
    last, numbers = len(seen) - 1, dict[str, int]()
    sizes, rows = [], []
    for text in texts:
        shingles = shingles_of(text)
        # joined, a shingle takes a third of the memory; no token has a space in it
        often = [" ".join(each) for each in shingles if seen[hash(each) & last] > 1]
        rows.append(array("I", [numbers.setdefault(each, len(numbers)) for each in often]))
        sizes.append(len(shingles))
    return sizes, rows


def _rare_first(row: array[int], counts: array[int]) -> array[int]:
    # one integer of both sorts three times as fast as a pair
    keys = sorted(counts[number] << NUMBER | number for number in row if counts[number] > 1)
    return array("I", [key & (1 << NUMBER) - 1 for key in keys])
