"""Anchors: where remembered findings stand today, and which have expired.

A finding is looked for in its own file, by fingerprint. Where that file is gone, it follows to
another one only if nothing else can be meant: the fingerprint was the only one of its kind in the
repository when it was recorded, it is the only one now, and the two files share half of their lines
or more (git's own measure of a rename). A file that is still there keeps its findings or loses
them: a block that someone has moved to another file, or copied to one, is a new finding there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic

from iacfilter_hpc.verdicts.finding import Outline, Place, likeness
from iacfilter_hpc.verdicts.repository import Repository
from iacfilter_hpc.verdicts.verdict import Remembered

AS_RENAMED = 0.5
"""Likeness from which git, too, calls a file renamed (git diff -M50%, its default)."""


class Expiry(StrEnum):
    """Why a finding is known no more, in words that follow its count."""

    LINE = "its line has changed or is gone"
    BLOCK = "the block around its line has changed, or has a double"
    FILE = "its file is gone"


@dataclass(frozen=True, slots=True)
class Expired(Generic[Remembered]):
    """Finding that is known no more; `where` are the lines of its file that still have its text."""

    finding: Remembered
    why: Expiry
    where: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Anchored(Generic[Remembered]):
    """Findings where they stand today, and those that have expired."""

    standing: dict[Place, Remembered]
    expired: tuple[Expired[Remembered], ...]

    def at(self, place: Place) -> Remembered | None:
        """The finding at a place, or the one that stands for its line as a whole."""
        return self.standing.get(place) or self.standing.get(place.whole_line)


def anchor(findings: Iterable[Remembered], repository: Repository) -> Anchored[Remembered]:
    """Find each remembered finding again, or say why it cannot be."""
    standing: dict[Place, Remembered] = {}
    expired: list[Expired[Remembered]] = []
    homeless: list[Remembered] = []
    # file after file, since few outlines are kept
    for each in sorted(findings, key=lambda finding: (finding.file, finding.line)):
        outline = repository.outline(each.file)
        if outline is None:
            homeless.append(each)
        elif place := _place_in(outline, each):
            standing[place] = each
        else:
            expired.append(_expired(outline, each))
    for each, found in _renamed(homeless, repository):
        # what was recorded at that place itself comes first
        if found is None or found in standing:
            expired.append(Expired(each, Expiry.FILE))
        else:
            standing[found] = each
    return Anchored(standing, tuple(expired))


def _place_in(outline: Outline, finding: Remembered) -> Place | None:
    line = outline.line_of(finding)
    return None if line is None else finding.place._replace(line=line)


def _expired(outline: Outline, finding: Remembered) -> Expired[Remembered]:
    lines = outline.by_text.get(finding.text, ()) if finding.text else ()
    where = tuple(finding.place._replace(line=line) for line in lines)
    return Expired(finding, Expiry.BLOCK if where else Expiry.LINE, where)


def _renamed(
    findings: Iterable[Remembered], repository: Repository
) -> Iterator[tuple[Remembered, Place | None]]:
    """Each finding of a file that is gone with its place in the same file of another name."""
    every = list(findings)
    # of what had copies, a place in another file may be one of those
    single = [e for e in every if not e.copies and e.line >= 1 and not repository.holds(e.file)]
    places = repository.places_of(single)
    keys = {each.key for each in single}
    for each in every:
        found = places[each.fingerprint] if each.key in keys else set()
        yield each, _place_renamed(each, found, repository)


def _place_renamed(
    finding: Remembered, found: set[tuple[str, int]], repository: Repository
) -> Place | None:
    if len(found) != 1:
        return None
    ((file, line),) = found
    outline = repository.outline(file)
    if outline is None or likeness(outline.sketch, finding.sketch) < AS_RENAMED:
        return None
    return finding.place._replace(file=file, line=line)
