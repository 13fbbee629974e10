"""Leave out samples whose smell and reported line an earlier sample has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iacfilter_hpc.detections.duplicates import normalised, smell_key
from iacfilter_hpc.detections.samples import Sample


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A sample, and the one that stays in its place."""

    sample: Sample
    first: Sample


def without_duplicates(samples: Sequence[Sample]) -> tuple[list[Sample], list[Duplicate]]:
    """The first sample of each smell and normalised content, and the others.

    The same context with another reported line is another sample: small scripts have such.
    A reported line without any text is like no other.
    """
    first: dict[tuple[str, str], Sample] = {}
    kept: list[Sample] = []
    duplicates: list[Duplicate] = []
    for sample in samples:
        text = normalised(sample.content)
        key = (smell_key(sample), text)
        if text and key in first:
            duplicates.append(Duplicate(sample, first[key]))
        else:
            first[key] = sample
            kept.append(sample)
    return kept, duplicates
