"""Recorded peaks: by how much finished runs needed more memory than was planned for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from iacfilter_hpc.config.schema import TINY
from iacfilter_hpc.runs.layout import RunLayout


@dataclass(frozen=True, slots=True)
class Correction:
    """`factor` times the planned activations is what runs have needed; of how many runs.

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
    """The median over the runs of a model, else over those of its approach.

    Both count what PyTorch allocates: memory.json has the peak, run.json what was planned. Runs
    without either, or with a file that cannot be read, say nothing.
    """
    peaks = list(_peaks(models / approach))
    alike = [p.ratio for p in peaks if p.model == model]
    # a tiny model's buffers are larger than the model
    ratios = alike or [p.ratio for p in peaks if p.model != TINY]
    return Correction(max(1.0, median(ratios)), len(ratios)) if ratios else UNCORRECTED


def _peaks(runs: Path) -> Iterator[_Peak]:
    for path in sorted(runs.glob("*/memory.json")):
        record = _object(RunLayout(path.parent).record)
        peak, planned = _object(path).get("peak_bytes"), record.get("planned_bytes")
        inexact = record.get("planned_activations")
        if _is_count(peak) and _is_count(planned) and _is_count(inexact):
            ratio = (peak - (planned - inexact)) / inexact  # type: ignore[operator]
            yield _Peak(str(record.get("model_name_or_path")), ratio)


def _object(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
