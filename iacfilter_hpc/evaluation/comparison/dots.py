"""Figures of F1 with 95 % intervals: over all samples, by smell, by technology."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iacfilter_hpc.evaluation.comparison.canvas import (
    Picture,
    Style,
    drawing,
    listed,
    picture,
    short,
    styles,
)
from iacfilter_hpc.evaluation.comparison.compare import Comparison, Entry
from iacfilter_hpc.evaluation.comparison.measure import Measured, SystemCell
from iacfilter_hpc.evaluation.comparison.sentences import number, span
from iacfilter_hpc.evaluation.comparison.tables import cell_title

LINE = 16
"""Characters in a line of a smell's name."""

PALE = 0.4
"""How solid a score is drawn that rests on few real smells."""


def f1_overall(done: Comparison) -> Picture:
    """One row a system."""
    count = len(done.entries)
    with drawing():
        figure = Figure(figsize=(5, 0.9 + 0.32 * count), layout="constrained")
        axes = figure.add_subplot()
        for index, (look, entry) in enumerate(zip(_looks(done), done.entries, strict=True)):
            _dot(axes, index, entry.cells.overall.measured["f1"], look, 1.0)
        axes.set_yticks(range(count), [short(entry.system.title) for entry in done.entries])
        _finish(axes, count)
        parts = [_words(entry.system.title, entry.cells.overall) for entry in done.entries]
        return picture(figure, f"F1 on all samples with 95 % intervals. {listed(parts)}.")


def f1_by_smell(done: Comparison) -> Picture:
    """A band a smell, a row a system in each."""
    return _by(done, "smell", lambda entry: entry.cells.by_smell)


def f1_by_technology(done: Comparison) -> Picture:
    """A band a technology, a row a system in each."""
    return _by(done, "technology", lambda entry: entry.cells.by_technology)


def _by(done: Comparison, kind: str, cells_of: Callable[[Entry], Sequence[SystemCell]]) -> Picture:
    names = [cell_title(cell) for cell in cells_of(done.entries[0])]
    count = len(done.entries)
    band = count + 1
    with drawing():
        height = 0.7 + 0.18 * band * len(names) + 0.18 * ((count + 1) // 2)
        figure = Figure(figsize=(5, height), layout="constrained")
        axes = figure.add_subplot()
        handles = []
        for index, (look, entry) in enumerate(zip(_looks(done), done.entries, strict=True)):
            for place, cell in enumerate(cells_of(entry)):
                alpha = PALE if cell.first.few_positives else 1.0
                _dot(axes, place * band + index, cell.measured["f1"], look, alpha)
            handles.append(_handle(axes, look))
        for place in range(1, len(names)):
            axes.axhline(place * band - 1, color="#d9d9d9", linewidth=0.7)
        axes.set_yticks([place * band + (count - 1) / 2 for place in range(len(names))])
        axes.set_yticklabels([fill(name.replace("_", " "), LINE) for name in names])
        axes.tick_params(axis="y", length=0)
        _finish(axes, band * len(names) - 1)
        labels = [short(entry.system.title) for entry in done.entries]
        figure.legend(handles, labels, loc="outside lower left", ncols=2, fontsize=8)
        parts = [
            _words(f"{e.system.title}, {c.name}", c) for e in done.entries for c in cells_of(e)
        ]
        return picture(figure, f"F1 by {kind} with 95 % intervals. {listed(parts)}.")


def _looks(done: Comparison) -> list[Style]:
    return styles([entry.system for entry in done.entries])


def _dot(axes: Axes, row: float, found: Measured, look: Style, alpha: float) -> None:
    if found.mean is None:
        axes.text(0.01, row, "not defined", fontsize=7, va="center", color=look.colour)
        return
    if found.interval is not None:
        ends = [found.interval.low, found.interval.high]
        axes.plot(ends, [row, row], color=look.colour, linewidth=2, alpha=0.5 * alpha)
    axes.plot(
        found.mean,
        row,
        look.marker,
        color=look.colour,
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.6,
        alpha=alpha,
        clip_on=False,
        zorder=5,
    )


def _handle(axes: Axes, look: Style) -> Artist:
    (handle,) = axes.plot([], [], look.marker, color=look.colour)
    return handle


def _finish(axes: Axes, rows: int) -> None:
    axes.set(xlim=(0, 1), ylim=(rows - 0.4, -0.6), xlabel="F1 of TP")
    axes.grid(axis="x", color="#ececec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _words(name: str, cell: SystemCell) -> str:
    found = cell.measured["f1"]
    return f"{name}: {number(found.mean)} ({span(found.interval)})"
