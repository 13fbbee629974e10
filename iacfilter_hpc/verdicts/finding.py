"""Finding that is remembered: what was reported where, and what it is known by later.

A fingerprint is a hash of the smell, GLITCH's words, the cited line, its place in its block, the
whole block and the lines that lead to it (blocks.py), without white space at the ends of lines. So
it stays the same when lines move, when a file is renamed, and when anything else is changed or
indented anew; and it is another one when the cited line or any line of its block changes, or what
the block stands in.

Two places that are alike must not be taken for one another, or a new finding would hide behind an
old verdict (bridgecrewio/checkov issue 7647):

- in one line, GLITCH's words tell findings apart: a user and a password, or two missing attributes;
- in one block, the line's place tells equal lines apart;
- of equal blocks in one file nothing tells which is which once the file is edited, so their
  fingerprints hold the text of the whole file and the number among equals: any change ends them;
- a copy in another file is another place: a finding is known by fingerprint and file together, and
  follows a file that was renamed only as anchor.py says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from iacfilter_hpc.glitch.report import Detection
from iacfilter_hpc.samples.hashes import normalised, same_smell
from iacfilter_hpc.verdicts.blocks import Block, blocks_of

FORM = 1
"""Of fingerprints. Another one ends all verdicts, so blocks.py and this file change with care."""
LONGEST_TEXT = 500
"""Characters of a cited line that are kept, for people and to look for it; the hash has all."""
LONGEST_WORDS = 200
LONGEST_HEAD = 4000
"""Characters of a row before what it quotes."""
SUGGESTION = re.compile(r"(?:^|(?<=,))Suggestion: [^\n]{0,1000}?\.(?=,)")
"""GLITCH's description of what is absent: it names the attribute."""
SKETCHED = 24
"""Lines of a file in its sketch: those with the smallest hashes, which is as good as at random."""
DIGITS = 8


class Place(NamedTuple):
    """Place of a finding: its smell (GLITCH's code where that is none of ours), file and line.

    `words` tell it from others of its smell in that line; "" stands for the line as a whole.
    """

    smell: str
    file: str
    line: int
    words: str = ""

    @property
    def whole_line(self) -> Place:
        """Place of whatever is said of this smell in the line."""
        return self._replace(words="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Finding as a line of a file keeps it. `file` is relative to the repository's root.

    `copies` counts the other places of its fingerprint in the repository, and `sketch` stands for
    the file's lines: both tell whether another file is this one, renamed.
    """

    schema: int = 1
    smell: str
    file: str
    line: int
    text: str
    fingerprint: str
    copies: int
    sketch: str
    words: str = ""

    @property
    def place(self) -> Place:
        """Where it was when it was recorded."""
        return Place(self.smell, self.file, self.line, self.words)

    @property
    def key(self) -> tuple[str, str]:
        """What two records of one finding share."""
        return self.fingerprint, self.file


class _Cached:
    __slots__ = ("__dict__",)


@dataclass(frozen=True, slots=True)
class Outline(_Cached):
    """Outline of a script: its lines as fingerprints need them."""

    lines: Sequence[str]
    suffix: str
    _found: dict[tuple[str, str, str], dict[str, int]] = field(default_factory=dict, repr=False)

    def fingerprint(self, smell: str, line: int, words: str = "") -> str | None:
        """32 hex digits for a finding in a line, from 1; None for a line that is in no block.

        A line before the first stands for the whole file: GLITCH writes -1 for what has no place.
        """
        if line < 1:
            return _hash(FORM, same_smell(smell), words, "file", self._text)
        number, place = self._places.get(line - 1, (None, 0))
        if number is None:
            return None
        digest = self._digests[number]
        nth, count = self._among_equals[number]
        which = [self._text, nth] if count > 1 else []
        return _hash(FORM, same_smell(smell), words, "line", digest, place, *which)

    def text(self, line: int) -> str:
        """The cited line as it is kept, "" for one that is not there."""
        return self.lines[line - 1].strip()[:LONGEST_TEXT] if 1 <= line <= len(self.lines) else ""

    def line_of(self, finding: Finding) -> int | None:
        """The line that has a finding's fingerprint."""
        if finding.line < 1:
            return finding.line if self._has(finding, finding.line) else None
        # lines that are alike may be thousands: each is hashed once, not once for each finding
        alike = finding.smell, finding.words, finding.text
        if alike not in self._found:
            lines = self.by_text.get(finding.text, ())
            made = ((self.fingerprint(finding.smell, n, finding.words), n) for n in lines)
            self._found[alike] = {fingerprint: n for fingerprint, n in made if fingerprint}
        return self._found[alike].get(finding.fingerprint)

    def _has(self, finding: Finding, line: int) -> bool:
        return self.fingerprint(finding.smell, line, finding.words) == finding.fingerprint

    @cached_property
    def sketch(self) -> str:
        """The smallest hashes of the file's distinct lines, one after the other."""
        hashes = {_hash(line.strip())[:DIGITS] for line in self.lines if line.strip()}
        return "".join(sorted(hashes)[:SKETCHED])

    @cached_property
    def by_text(self) -> dict[str, list[int]]:
        """The lines that are kept as each text."""
        found: dict[str, list[int]] = {}
        for line in range(1, len(self.lines) + 1):
            found.setdefault(self.text(line), []).append(line)
        return found

    @cached_property
    def _blocks(self) -> list[Block]:
        return blocks_of(self.lines, self.suffix)

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        """Of each line (from 0) its block, and where it stands in that."""
        return {
            index: (number, place)
            for number, block in enumerate(self._blocks)
            for place, (index, _) in enumerate(block.lines)
        }

    @cached_property
    def _digests(self) -> list[str]:
        return [
            _hash(block.path, *([depth, self.lines[index].strip()] for index, depth in block.lines))
            for block in self._blocks
        ]

    @cached_property
    def _among_equals(self) -> list[tuple[int, int]]:
        """Of each block its number among equal ones, and how many these are."""
        counts, seen = Counter(self._digests), Counter[str]()
        found = []
        for digest in self._digests:
            found.append((seen[digest], counts[digest]))
            seen[digest] += 1
        return found

    @cached_property
    def _text(self) -> str:
        return _hash(*(line.strip() for line in self.lines if line.strip()))


def words_of(found: Detection) -> str:
    """GLITCH's words by which a finding is told from others of its smell in its line.

    What it quotes, and what it suggests: its titles and explanations are the same for each smell.
    """
    suggested = SUGGESTION.search(found.raw[:LONGEST_HEAD])
    text = normalised(f"{suggested[0] if suggested else ''}{found.detail}")
    # a value may have megabytes, and the hash tells such values apart
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}~{_hash(text)}"


def likeness(one: str, other: str) -> float:
    """The share of lines that two files have in common, from their sketches.

    Of the smallest hashes of both files together, those that are in both (Broder, On the
    resemblance and containment of documents, 1997); exact where both are short.
    """
    first, second = _parts(one), _parts(other)
    smallest = sorted(first | second)[:SKETCHED]
    return sum(each in first and each in second for each in smallest) / max(1, len(smallest))


def _parts(sketch: str) -> set[str]:
    return {sketch[at : at + DIGITS] for at in range(0, len(sketch), DIGITS)}


def _hash(*what: object) -> str:
    # JSON keeps the parts apart. 128 bits: who writes a script must not find two blocks of one hash
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
