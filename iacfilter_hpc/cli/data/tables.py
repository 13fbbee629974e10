"""What the three parts of iacfilter-data print alike: samples by label, and text from files."""

from __future__ import annotations

from collections.abc import Sequence

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.samples.label_counts import Counts, count_cells, count_labels
from iacfilter_hpc.samples.leakage import DataFile
from iacfilter_hpc.samples.sample import Sample

WIDTH = 60


def plain(text: str) -> str:
    """Text of a file as a terminal can take it, cut to one short line."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 3]}..."


def balance_table(files: Sequence[DataFile]) -> str:
    """TP and FP by technology and smell, a column for each file."""
    cells = [count_cells(file.samples) for file in files]
    names = [file.name for file in files]
    rows = [
        [*cell, *(_labels(counts.get(cell, Counts())) for counts in cells)]
        for cell in sorted({cell for counts in cells for cell in counts})
    ]
    total = [_labels(count_labels(file.samples)) for file in files]
    columns = ["technology", "smell", *(f"TP/FP {name}" for name in names)]
    return terminal.table(columns, [*rows, ["all", "", *total]], columns[2:])


def balance_document(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """The same of one file for JSON."""
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


def _labels(counts: Counts) -> str:
    if counts.unlabelled == counts.samples:
        return f"{counts.unlabelled} unlabelled" if counts.samples else "-"
    unlabelled = f" + {counts.unlabelled} unlabelled" if counts.unlabelled else ""
    return f"{counts.tp}/{counts.fp}{unlabelled}"
