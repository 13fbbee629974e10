"""Balance of sample files: a table of TP and FP by technology and smell."""

from __future__ import annotations

from collections.abc import Sequence

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.samples.label_counts import Counts, count_cells, count_labels
from iacfilter_hpc.samples.leakage import DataFile


def balance_table(files: Sequence[DataFile]) -> str:
    """Table of TP and FP by technology and smell, a column for each file."""
    # a row for each pair that any of the files has: what another file lacks must show as a gap
    cells = [count_cells(file.samples) for file in files]
    names = [file.name for file in files]
    rows = [
        [*cell, *(_labels(counts.get(cell, Counts())) for counts in cells)]
        for cell in sorted({cell for counts in cells for cell in counts})
    ]
    total = [_labels(count_labels(file.samples)) for file in files]
    columns = ["technology", "smell", *(f"TP/FP {name}" for name in names)]
    return terminal.table(columns, [*rows, ["all", "", *total]], columns[2:])


def _labels(counts: Counts) -> str:
    # also where there is no sample at all, which must not read as 0/0 labelled
    if counts.unlabelled == counts.samples:
        return f"{counts.unlabelled} unlabelled" if counts.samples else "-"
    unlabelled = f" + {counts.unlabelled} unlabelled" if counts.unlabelled else ""
    return f"{counts.tp}/{counts.fp}{unlabelled}"
