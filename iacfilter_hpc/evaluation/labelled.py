"""Read the labelled samples of one file, grouped as the intervals need them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.detections.groups import read_groups, with_groups
from iacfilter_hpc.detections.samples import Sample, read_samples, sha256_of


@dataclass(frozen=True, slots=True)
class Labelled:
    """The samples of one file, each with a label; `path` is absolute."""

    path: Path
    sha256: str
    samples: tuple[Sample, ...]


def read_labelled(path: Path, groups: Path | None = None) -> Labelled:
    """The samples of a file, with repositories and families from a CSV file `groups` if given.

    Raises:
        DataError: wrong lines in either file, or a sample without a label.
    """
    samples = read_samples(path)
    if groups is not None:
        samples = with_groups(samples, read_groups(groups))
    return Labelled(path.absolute(), sha256_of(path), tuple(samples))
