"""Check of sample files: what they share or hold twice, contradictions, unknown names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError, counted, together
from iacfilter_hpc.samples.duplicates import KINDS, Kind
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.hashes import normalised
from iacfilter_hpc.samples.leakage import DataFile, Leak, Repeats, find_leaks
from iacfilter_hpc.samples.sample import Sample, SampleFile, read_sample_file
from iacfilter_hpc.samples.smells import RULES, smell_of_words
from iacfilter_hpc.samples.technologies import NAMES as TECHNOLOGIES


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Contradiction of a sample with itself: its file, its line there from 1, and how."""

    file: str
    row: int
    problem: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Outcome of a check of files; leaks of the kinds in `allowed` are accepted.

    `read` are the files as they are, `files` the same ones with the repositories and families that
    are known of their samples.
    """

    read: tuple[SampleFile, ...]
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
        """Names that may be slips, a sentence each; whoever knows better may ignore them."""
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
    origins = read_groups(groups) if groups else None
    read = _read(paths)
    # two files of one name in different directories are told apart by their paths
    names = Counter(path.name for path in paths)
    files = tuple(
        DataFile(
            file.path.name if names[file.path.name] == 1 else str(file.path),
            tuple(with_groups(file.samples, origins)) if origins else file.samples,
        )
        for file in read
    )
    leaks, repeats = find_leaks(files)
    return Checked(read, files, tuple(leaks), tuple(repeats), allowed)


def _read(paths: Sequence[Path]) -> tuple[SampleFile, ...]:
    """All files, or every problem of all of them."""
    files: list[SampleFile] = []
    errors: list[DataError] = []
    for path in paths:
        try:
            # a leak is one with or without a label
            files.append(read_sample_file(path, unlabelled=True))
        except DataError as error:
            errors.append(error)
    if errors:
        raise together(errors)
    return tuple(files)


def contradictions_in(sample: Sample) -> Iterator[str]:
    """Contradictions in a sample, in words; case, white space and quotes do not matter."""
    first, last = sample.detection_span
    # the span's first line is the context's first; its last may lie beyond the end of the script
    lines = sample.with_context.split("\n")
    if not sample.with_context.strip():
        yield "with_context is empty"
    elif not first <= sample.line <= last:
        yield f"line {sample.line} is outside detection_span [{first}, {last}]"
    elif sample.line - first >= len(lines):
        has = f"with_context has {counted(len(lines), 'line')}"
        yield f"{has}, and line {sample.line} is not among them"
    # `in`, not equal: content is stripped, and may be a part of its line
    elif normalised(sample.content) not in normalised(lines[sample.line - first]):
        yield f"content is not on line {sample.line} of with_context"


def unknown_names(samples: Sequence[Sample]) -> Iterator[str]:
    """Warnings of smells and technologies that nothing else here knows, one for each name."""
    smells = Counter(s.smell for s in samples if smell_of_words(s.smell) is None)
    technologies = Counter(s.technology for s in samples if s.technology not in TECHNOLOGIES)
    for smell, count in sorted(smells.items()):
        of = f"{counted(count, 'sample')} of smell {smell!a}"
        yield f"{of}, which is of none of GLITCH's {len(RULES)} rules"
    for technology, count in sorted(technologies.items()):
        known = ", ".join(TECHNOLOGIES)
        yield f"{counted(count, 'sample')} of technology {technology!a}, which is none of {known}"
