"""Find the row of each sample in a file of predictions; whatever has none is named."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TypeVar

from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.labelled import Labelled

Row = TypeVar("Row")


def matched(
    path: Path,
    rows: Iterable[tuple[str, Hashable, Row]],
    data: Labelled,
    key_of: Callable[[Sample], Hashable],
) -> list[Row]:
    """The row of each sample, in the samples' order; what the data repeats, the rows repeat too.

    Each of `rows` is its place in `path`, its key, and itself.
    """
    wanted = Counter(key_of(sample) for sample in data.samples)
    found: dict[Hashable, list[Row]] = defaultdict(list)
    unknown, repeated = [], []
    for where, key, row in rows:
        if key not in wanted:
            unknown.append(f"{where}: {_shown(key)} is no sample of {data.path}")
        elif len(found[key]) == wanted[key]:
            repeated.append(f"{where}: {_shown(key)} occurs before")
        else:
            found[key].append(row)
    if not any(found.values()):
        raise DataError(
            f"{path}: none of its rows is of a sample in {data.path}",
            hint="predictions and data must be of the same samples",
        )
    missing = [
        f"{data.path}:{index + 1}: {_shown(key_of(sample))} has no row in {path}"
        for index, sample in enumerate(data.samples)
        if len(found.get(key_of(sample), ())) < wanted[key_of(sample)]
    ]
    if problems := [*unknown, *repeated, *missing]:
        raise DataError("\n".join(problems), hint="every sample needs one row, every row a sample")
    rest = {key: iter(rows_of) for key, rows_of in found.items()}
    return [next(rest[key_of(sample)]) for sample in data.samples]


def _shown(key: Hashable) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else f"the detection {key}"
