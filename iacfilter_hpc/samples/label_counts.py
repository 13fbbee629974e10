"""Label counts: samples of each label, by technology and smell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples.sample import LABELS, Sample, SampleFile


@dataclass(frozen=True, slots=True)
class Counts:
    """Samples by label."""

    tp: int = 0
    fp: int = 0
    unlabelled: int = 0

    @property
    def samples(self) -> int:
        """Samples of any label and of none."""
        return self.tp + self.fp + self.unlabelled


def count_labels(samples: Iterable[Sample]) -> Counts:
    """The samples by label."""
    labels = Counter(sample.label for sample in samples)
    return Counts(labels["TP"], labels["FP"], labels[None])


def check_both_classes(file: SampleFile) -> None:
    """Raise DataError if a file of samples to train or validate with lacks TP or FP."""
    # with one class there is nothing to learn, nor a threshold to choose
    missing = sorted(set(LABELS) - {sample.label for sample in file.samples})
    if missing:
        raise DataError(
            f"{file.path} has no sample labelled {missing[0]}",
            hint="training and validation files need both classes",
        )


def count_cells(samples: Iterable[Sample]) -> dict[tuple[str, str], Counts]:
    """Counts of the labels in each pair of technology and smell, in alphabetical order."""
    cells: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        cells.setdefault((sample.technology, sample.smell), []).append(sample)
    return {cell: count_labels(cells[cell]) for cell in sorted(cells)}


def balance_document(samples: Iterable[Sample]) -> list[dict[str, object]]:
    """Balance of the labels for JSON, an entry for each pair of technology and smell."""
    return [
        {
            "technology": technology,
            "smell": smell,
            "TP": counts.tp,
            "FP": counts.fp,
            "unlabelled": counts.unlabelled,
        }
        for (technology, smell), counts in count_cells(samples).items()
    ]
