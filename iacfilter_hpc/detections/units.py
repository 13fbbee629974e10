"""The smallest sets of samples that a split must keep whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from iacfilter_hpc.detections.duplicates import Kind, Tie
from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.errors import DataError

By = Literal["auto", "family", "repo", "file"]
KEPT_WHOLE: dict[By, tuple[Kind, ...]] = {
    "auto": ("file", "repo", "family"),
    "family": ("file", "repo", "family"),
    "repo": ("file", "repo"),
    "file": ("file",),
}
"""What must not be in two splits; `auto` takes the largest of the three that each sample names."""


def check_origins(samples: Sequence[Sample], by: By) -> None:
    """Raise DataError unless every sample names what it is to be split by."""
    if by in ("auto", "file"):
        return
    lacking = [sample for sample in samples if getattr(sample, by) is None]
    if lacking:
        first = lacking[0]
        raise DataError(
            f"{len(lacking)} of {len(samples)} samples name no {by}, the first is "
            f"{first.file}:{first.line}",
            hint="--groups CSV names repositories and families; --by auto takes what is known",
        )


def join(count: int, ties: Iterable[Tie]) -> list[tuple[int, ...]]:
    """The sets of samples that ties connect, each in order, by their first sample."""
    root = list(range(count))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for tie in ties:
        first = find(tie.left[0])
        for index in (*tie.left[1:], *tie.right):
            root[find(index)] = first
    units: dict[int, list[int]] = {}
    for index in range(count):
        units.setdefault(find(index), []).append(index)
    return [tuple(unit) for unit in units.values()]
