"""Labelled samples of one file, with the groups that the intervals keep whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.sample import Sample, read_sample_file

NAMED = 3
"""Files that a warning names."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The samples of one file, each with a label; `path` is absolute.

    `groups_sha256` is that of the file which named their groups, None if none did.
    """

    path: Path
    sha256: str
    samples: tuple[Sample, ...]
    groups_sha256: str | None = None
    warnings: tuple[str, ...] = ()


def read_labelled(path: Path, groups: Path | None = None) -> Labelled:
    """The samples of a file, with repositories and families from a CSV file `groups` if given.

    Raises:
        DataError: wrong lines in either file, a sample without a label, or groups of other files.
    """
    found = read_sample_file(path)
    if groups is None:
        return Labelled(path.absolute(), found.sha256, found.samples)
    known = read_groups(groups)
    files = sorted({sample.file for sample in found.samples})
    unnamed = [file for file in files if file not in known.by_file]
    # some may be missing from a hand-made list; if all are, its paths begin elsewhere
    if len(unnamed) == len(files):
        raise DataError(
            f"{groups} names none of the {len(files)} files of {path}, such as {files[0]}",
            hint="its column file must name files exactly as the samples' field file does",
        )
    return Labelled(
        path=path.absolute(),
        sha256=found.sha256,
        samples=tuple(with_groups(found.samples, known)),
        # other groups give other intervals of the same samples, so metrics.json names both files
        groups_sha256=sha256_of(groups),
        warnings=tuple(_unnamed_warnings(groups, unnamed, len(files))),
    )


def _unnamed_warnings(groups: Path, files: Sequence[str], count: int) -> list[str]:
    if not files:
        return []
    more = ", ..." if len(files) > NAMED else ""
    return [
        f"{groups} does not name {len(files)} of {count} files; each is a group of its own, unless "
        f"its samples name a repo or family: {', '.join(files[:NAMED])}{more}"
    ]
