"""Recorded peaks: by how much finished runs needed more memory than was planned for them.

The estimate has been compared with no GPU, so that it learns from those that runs have used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from iacfilter_hpc.config.schema import TINY
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import RunRecord


@dataclass(frozen=True, slots=True)
class Correction:
    """Correction: `factor` times the planned activations is what runs have needed; of how many.

    Weights, gradients and optimizer states are known. Never below 1: rows that did not fill the
    token budget say nothing of others that will.
    """

    factor: float
    runs: int


UNCORRECTED = Correction(1.0, 0)


@dataclass(frozen=True, slots=True)
class _Peak:
    model: str
    ratio: float


def correction(models: Path, approach: str, model: str) -> Correction:
    """Correction by the median over the runs of a model, else over those of its approach.

    Both count what PyTorch allocates: memory.json has the peak, run.json what was planned. Runs
    without either, or with a file that cannot be read, say nothing.
    """
    # a median, as one run of unusual samples must not decide
    peaks = list(_peaks(models / approach))
    alike = [p.ratio for p in peaks if p.model == model]
    # a tiny model's buffers are larger than the model
    ratios = alike or [p.ratio for p in peaks if p.model != TINY]
    return Correction(max(1.0, median(ratios)), len(ratios)) if ratios else UNCORRECTED


def _peaks(runs: Path) -> Iterator[_Peak]:
    for path in sorted(runs.glob("*/memory.json")):
        layout = RunLayout(path.parent)
        try:
            record, peak = records.read_record(layout), records.PEAK.read(layout.memory)
        except IacfilterError:
            continue  # one of them is damaged, or of a newer version
        if (ratio := _ratio(record, peak.peak_bytes)) is not None:
            yield _Peak(record.model_name_or_path, ratio)


def _ratio(record: RunRecord, peak: int) -> float | None:
    """What the activations needed, by what was planned for them; None where no plan was made."""
    planned, inexact = record.planned_bytes, record.planned_activations
    if not planned or not inexact or peak <= 0:
        return None
    # weights, gradients and states are known: all that was wrong is the activations' fault
    return (peak - (planned - inexact)) / inexact
