"""Check of sample files: what they share, what each holds twice, samples that contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples.consistency import contradictions_in, unknown_names
from iacfilter_hpc.samples.duplicates import KINDS, Kind
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.leakage import DataFile, Leak, Repeats, find_leaks
from iacfilter_hpc.samples.sample import read_samples


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A sample that contradicts itself: its file, its line there from 1, and how."""

    file: str
    row: int
    problem: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in the files; leaks of the kinds in `allowed` are accepted."""

    paths: tuple[Path, ...]
    files: tuple[DataFile, ...]
    leaks: tuple[Leak, ...]
    repeats: tuple[Repeats, ...]
    allowed: frozenset[Kind]

    @property
    def contradictions(self) -> list[Contradiction]:
        """Samples whose fields cannot be of one place, in the files' order."""
        return [
            Contradiction(file.name, row, problem)
            for file in self.files
            for row, sample in enumerate(file.samples, start=1)
            for problem in contradictions_in(sample)
        ]

    @property
    def warnings(self) -> list[str]:
        """What may be a slip, and is none to somebody who knows better."""
        return [
            f"{file.name}: {text}" for file in self.files for text in unknown_names(file.samples)
        ]

    @property
    def forbidden(self) -> list[Kind]:
        """The kinds of leaks that are not accepted, in order."""
        return [kind for kind in KINDS if kind not in self.allowed and self.of_kind(kind)]

    def of_kind(self, kind: Kind) -> list[Leak]:
        """The leaks of a kind."""
        return [leak for leak in self.leaks if leak.kind == kind]


def check_files(paths: Sequence[Path], groups: Path | None, allowed: frozenset[Kind]) -> Checked:
    """Read all files and compare them; `groups` is a CSV that names repositories and families.

    Raises:
        DataError: every problem of every file that cannot be read or has a wrong line.
    """
    files = _read(paths, groups)
    leaks, repeats = find_leaks(files)
    return Checked(tuple(paths), tuple(files), tuple(leaks), tuple(repeats), allowed)


def _read(paths: Sequence[Path], groups: Path | None) -> list[DataFile]:
    """All files, or every problem of all of them."""
    origins = read_groups(groups) if groups else None
    names = [path.name for path in paths]
    files: list[DataFile] = []
    errors: list[DataError] = []
    for path in paths:
        try:
            samples = read_samples(path, unlabelled=True)
        except DataError as error:
            errors.append(error)
            continue
        if origins:
            samples = with_groups(samples, origins)
        # two files of one name in different directories are told apart by their paths
        name = path.name if names.count(path.name) == 1 else str(path)
        files.append(DataFile(name, tuple(samples)))
    if errors:
        raise DataError("\n".join(error.message for error in errors), hint=errors[0].hint)
    return files
