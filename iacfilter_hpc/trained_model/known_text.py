"""Known text: which trigrams of characters the training lines have, and how far others stray.

A line of which an unusual share of trigrams was never seen is unlike the training data: other
names, another language, another product. What this cannot see: a line of known words with a new
meaning, and what stands around it.
"""

from __future__ import annotations

import base64
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from iacfilter_hpc.trained_model.decision import STRICT, Share

BITS = 2**18
"""Hashes, not trigrams: a model must not carry its training lines. 32 KiB, whatever the data."""
LONGEST = 2000
"""Characters of a line that are looked at."""
USUAL = 0.95
"""The share of held-out lines that count as usual: of lines like them one in twenty does not."""


@dataclass(frozen=True, slots=True)
class KnownText:
    """Trigrams of the training lines as a set of bits in base64.

    A line is usual if at most `limit` of its trigrams are unknown, as with 95 % of the validation
    lines.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    trigrams: Annotated[str, Field(min_length=1)]
    limit: Share


@dataclass(frozen=True, slots=True)
class Usual:
    """Judge of lines by the text that is known, its bits unpacked."""

    _bits: bytes
    _limit: float

    def holds(self, line: str) -> bool:
        """Whether a line is like those that the model was trained and validated on."""
        # a hair more than the limit is rounding
        return unknown_share(self._bits, line) <= self._limit + 1e-9


def usual_of(known: KnownText) -> Usual:
    """Unpack the bits; raises ValueError if they are none."""
    bits = base64.b64decode(known.trigrams, validate=True)
    if len(bits) != BITS // 8:
        raise ValueError(f"{len(bits)} bytes, not {BITS // 8}")
    return Usual(bits, known.limit)


def known_text(train: Iterable[str], validation: Sequence[str]) -> KnownText:
    """The text of the training lines, with the limit that the validation lines set."""
    bits = bytearray(BITS // 8)
    for line in train:
        for place in _places(line):
            bits[place // 8] |= 1 << place % 8
    shares = sorted(unknown_share(bits, line) for line in validation)
    # without a line to go by nothing unknown is usual
    limit = shares[math.ceil(USUAL * len(shares)) - 1] if shares else 0.0
    return KnownText(base64.b64encode(bytes(bits)).decode(), limit)


def unknown_share(bits: bytes | bytearray, line: str) -> float:
    """The share of a line's trigrams that are not among the bits."""
    places = list(_places(line))
    return sum(not bits[place // 8] >> place % 8 & 1 for place in places) / max(1, len(places))


def _places(line: str) -> Iterator[int]:
    # digits are alike, and so are runs of spaces: a version or an indentation is nothing new
    text = re.sub(r"\s+", " ", re.sub(r"\d", "0", line[:LONGEST].casefold())).encode(
        "utf-8", "surrogateescape"
    )
    # crc32, as Python's own hash is another one in every process
    return (zlib.crc32(text[start : start + 3]) % BITS for start in range(max(1, len(text) - 2)))
