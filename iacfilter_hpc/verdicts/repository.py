"""Repository: the root that findings' paths start from, and its scripts for fingerprints."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.glitch.report import Detection
from iacfilter_hpc.glitch.scripts import Scripts, UnreadableScript
from iacfilter_hpc.verdicts.blocks import SYNTAX_OF
from iacfilter_hpc.verdicts.finding import Finding, Outline, Place, words_of
from iacfilter_hpc.verdicts.records import FOLDER

NAME = "verdicts.jsonl"
KEPT = 64
"""Outlines in memory: findings come file after file."""
SKIPPED = frozenset((".git", ".hg", "node_modules", ".terraform", ".venv"))
"""Folders of what others have written, or git itself; .github has workflows."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Repository, or the scripts' folder where there is none; paths are relative to `root`."""

    root: Path
    _scripts: Scripts
    _outlines: OrderedDict[str, Outline | None] = field(default_factory=OrderedDict, repr=False)

    def outline(self, file: str) -> Outline | None:
        """The outline of a script, None if it is not there or holds no text."""
        if file not in self._outlines:
            self._outlines[file] = self._read(file)
            if len(self._outlines) > KEPT:
                self._outlines.popitem(last=False)
        self._outlines.move_to_end(file)
        return self._outlines[file]

    def holds(self, file: str) -> bool:
        """Whether there is such a file."""
        return self._scripts.holds(file)

    def places(self, scripts: Scripts) -> ReportedPlaces:
        """The places of a report about scripts in this repository."""
        folder = Path(os.path.realpath(scripts.folder))
        below = folder.relative_to(os.path.realpath(self.root))
        return ReportedPlaces(scripts, PurePosixPath(below))

    def _finding(self, place: Place) -> Finding | None:
        outline = self.outline(place.file)
        made = outline.fingerprint(place.smell, place.line, place.words) if outline else None
        if outline is None or made is None:
            return None
        return Finding(
            smell=place.smell,
            words=place.words,
            file=place.file,
            line=place.line,
            text=outline.text(place.line),
            fingerprint=made,
            copies=0,
            sketch=outline.sketch,
        )

    def findings(self, places: Iterable[Place]) -> list[Finding]:
        """What places are known by, less those that are none, with their copies counted."""
        # file after file, since few outlines are kept
        ordered = sorted(set(places), key=lambda place: (place.file, place))
        found = [self._finding(place) for place in ordered]
        known = [each for each in found if each is not None]
        copies = self.places_of(known)
        return [
            replace(each, copies=len(copies[each.fingerprint] - {(each.file, each.line)}))
            for each in known
        ]

    def places_of(self, findings: Sequence[Finding]) -> dict[str, set[tuple[str, int]]]:
        """Every file and line in the repository that has one of these fingerprints."""
        found: dict[str, set[tuple[str, int]]] = {each.fingerprint: set() for each in findings}
        wanted: dict[str, dict[str, set[tuple[str, str]]]] = {}
        for each in findings:
            of_kind = wanted.setdefault(_kind(each.file), {})
            of_kind.setdefault(each.text, set()).add((each.smell, each.words))
        for file in self._files(frozenset(wanted)):
            for fingerprint, line in self._cited(file, wanted[_kind(file)]):
                if fingerprint in found:
                    found[fingerprint].add((file, line))
        return found

    def _cited(
        self, file: str, reported: dict[str, set[tuple[str, str]]]
    ) -> Iterator[tuple[str, int]]:
        """The fingerprints of a file's lines whose text is one of these."""
        # not by way of outline(): a walk through a repository leaves nothing behind
        outline = self._read(file)
        if outline is None:
            return
        # the fewer of both are looked through: a file may have more texts, or the findings
        for text in reported.keys() & {*outline.by_text, ""}:
            # a finding without text is of the whole file
            for line in outline.by_text[text] if text else (-1,):
                for smell, words in reported[text]:
                    fingerprint = outline.fingerprint(smell, line, words)
                    if fingerprint is not None:
                        yield fingerprint, line

    def _files(self, kinds: frozenset[str]) -> Iterator[str]:
        """The files of these kinds; links are not followed."""
        if not kinds:
            return
        for folder, names, files in os.walk(self.root):
            names[:] = sorted(set(names) - SKIPPED)
            below = PurePosixPath(Path(folder).relative_to(self.root))
            for name in sorted(files):
                if _kind(name) in kinds and not (Path(folder) / name).is_symlink():
                    yield str(below / name)

    def _read(self, file: str) -> Outline | None:
        try:
            # not trusted: a record must not lead out of the repository, by .. or by a link
            inside = self._scripts.relative(file) is not None
            return Outline(self._scripts.lines(file), _suffix(file)) if inside else None
        except UnreadableScript:
            return None


@dataclass(frozen=True, slots=True)
class ReportedPlaces:
    """Places of a report's rows in the repository, whose root is above the scripts or is them."""

    scripts: Scripts
    below: PurePosixPath
    _files: dict[str, str | None] = field(default_factory=dict, repr=False)

    def of(self, found: Detection) -> Place | None:
        """The place of a row; None if it is outside the scripts."""
        # a look at the disk for each file, and not for each row
        if found.path not in self._files:
            file = self.scripts.relative(found.path)
            self._files[found.path] = None if file is None else str(self.below / file)
        file = self._files[found.path]
        if file is None:
            return None
        return Place(found.smell or found.code, file, found.line, words_of(found))


@dataclass(frozen=True, slots=True)
class Kept:
    """Where verdicts are kept: the file, there or not yet, and the repository that it is about."""

    path: Path
    repository: Repository


def repository_at(root: Path) -> Repository:
    """The repository whose root is known."""
    return Repository(root, Scripts(root))


def repository_of(scripts: Path) -> Repository:
    """The repository that scripts are in."""
    return repository_at(root_of(Path(os.path.realpath(scripts))))


def find_verdicts(scripts: Path, named: Path | None = None) -> Kept:
    """The file of verdicts for scripts: the one that is named, else the nearest above them.

    From the scripts' folder upwards to the repository's root, where a new one would be.

    Raises:
        UsageError: it is there and is no regular file.
    """
    found = _find(scripts, named)
    if found.path.exists() and not found.path.is_file():
        raise UsageError(
            f"{found.path} is no regular file", hint="verdicts are one JSON object a line"
        )
    return found


def _find(scripts: Path, named: Path | None) -> Kept:
    folder = Path(os.path.realpath(scripts))
    root = root_of(folder)
    if named is not None:
        # copied from elsewhere, it is about the repository of the scripts all the same
        home = Path(os.path.realpath(named)).parent
        holds = home.name == FOLDER and folder.is_relative_to(home.parent)
        return Kept(named, repository_at(home.parent if holds else root))
    for each in _upwards(folder, root):
        if (each / FOLDER / NAME).exists():
            return Kept(each / FOLDER / NAME, repository_at(each))
    return Kept(root / FOLDER / NAME, repository_at(root))


def root_of(folder: Path) -> Path:
    """The root of the git repository that a folder is in, else the folder itself."""
    above = (each for each in (folder, *folder.parents) if (each / ".git").exists())
    return next(above, folder)


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    for each in (folder, *folder.parents):
        yield each
        if each == root:
            return


def _kind(file: str) -> str:
    """One extension for all that files of the same syntax may have."""
    suffix = _suffix(file)
    syntax = SYNTAX_OF.get(suffix)
    return suffix if syntax is None else syntax.suffixes[0]


def _suffix(file: str) -> str:
    return PurePosixPath(file).suffix.lower()
