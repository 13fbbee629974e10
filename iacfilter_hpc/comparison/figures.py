"""Figures of a comparison, drawn into SVG with matplotlib: no window, no global state."""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from iacfilter_hpc.comparison.compare import Comparison, Entry
from iacfilter_hpc.comparison.statistics import Measured, SystemScores
from iacfilter_hpc.comparison.systems import Member, System, SystemKind
from iacfilter_hpc.comparison.tables import subset_title
from iacfilter_hpc.evaluation.bootstrap import wilson
from iacfilter_hpc.evaluation.metrics import reliability
from iacfilter_hpc.evaluation.text import number, span

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette without yellow, which paper swallows. Source: https://jfly.uni-koeln.de/color"""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
LINE_STYLES = ("-", "--", "-.", ":")
GREY = "#767676"
LONGEST = 34
SETTINGS: dict[Any, object] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "svg.hashsalt": "iacfilter-hpc",  # the same figure is the same file
    "font.size": 9,
    "text.parse_math": False,  # a name may hold dollars
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}


@dataclass(frozen=True, slots=True)
class Style:
    """Style of one system, the same in every figure."""

    colour: str
    marker: str
    line: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Picture: a figure as SVG. `alt` says in words what it shows; `width` is in CSS pixels."""

    svg: str
    alt: str
    width: int
    height: int

    @property
    def uri(self) -> str:
        """Data URI that holds the picture, so that a page has to fetch nothing else."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()}"


def styles(systems: Sequence[System]) -> list[Style]:
    """Styles of systems, in their order; baselines are grey."""
    made = []
    # counted apart: grey baselines must not use up colours
    coloured = 0
    for index, system in enumerate(systems):
        colour = GREY
        if system.kind is not SystemKind.BASELINE:
            colour = COLOURS[coloured % len(COLOURS)]
            coloured += 1
        # colours come again after seven systems: there the line changes
        line = LINE_STYLES[index // len(COLOURS) % len(LINE_STYLES)]
        made.append(Style(colour, MARKERS[index % len(MARKERS)], line))
    return made


@contextmanager
def drawing() -> Iterator[None]:
    """Settings of drawing: figures made inside look alike, and matplotlib is left as it was."""
    with rc_context(), warnings.catch_warnings():
        rcdefaults()  # whatever the person's own matplotlibrc says
        rcParams.update(SETTINGS)
        # the reader's browser may have glyphs that this machine's fonts lack
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def picture(figure: Figure, alt: str) -> Picture:
    """Picture of a figure, drawn."""
    # no date and no version of matplotlib: the same comparison is the same file
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # a CSS inch has 96 pixels, whatever the screen
    width, height = figure.get_size_inches() * 96
    return Picture(buffer.getvalue(), alt, round(width), round(height))


def short(text: str) -> str:
    """Name as it fits into a figure: at most LONGEST characters."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def listed(texts: Sequence[str]) -> str:
    """List for an alternative text."""
    return "; ".join(texts)


# bars of a picture only: the expected calibration error beside it is that of metrics.BINS
PICTURE_BINS = 10
F1_LINES = (0.5, 0.6, 0.7, 0.8, 0.9)


def precision_recall(done: Comparison) -> Picture:
    """Precision against recall: a curve a system that has p(TP), a point for what each decides."""
    truth = [sample.label == "TP" for sample in done.data.samples]
    with drawing():
        # a Figure of its own, not pyplot's, which keeps each figure for the whole process
        figure = Figure(figsize=(5, 4.2 + 0.18 * len(done.entries)), layout="constrained")
        axes = figure.add_subplot(box_aspect=0.85)
        _f1_lines(axes)
        handles, labels = [], []
        for style, entry in zip(_styles(done), done.entries, strict=True):
            # the first member last: its curve lies on top of those of other seeds
            for member in reversed(entry.system.members):
                _curve(axes, truth, member, style, is_first=member is entry.system.first)
            # a legend of points, since a system without p(TP) has no curve
            handles.append(_point(axes, entry, style))
            labels.append(_pr_label(entry))
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision")
        figure.legend(handles, labels, loc="outside lower left", fontsize=8)
        return picture(figure, _pr_alt(done))


def calibration(done: Comparison) -> list[Picture]:
    """Calibration, a picture a system that has p(TP): share of real smells by p(TP), and counts."""
    truth = [sample.label == "TP" for sample in done.data.samples]
    return [
        _reliability(entry, truth, p_tp, style)
        for style, entry in zip(_styles(done), done.entries, strict=True)
        if (p_tp := entry.system.first.p_tp) is not None
    ]


def _curve(
    axes: Axes, truth: Sequence[bool], member: Member, style: Style, *, is_first: bool
) -> None:
    """Steps, as average precision adds them up; other seeds are drawn thin."""
    # without a real TP recall is 0/0, which scikit-learn sets to 1, with a warning
    if member.p_tp is None or not any(truth):
        return
    precision, recall, _ = precision_recall_curve(truth, member.p_tp)
    # the last point (recall 0, precision 1) is a convention: steps start at the first TP found
    found = recall > 0
    precision = np.append(precision[found], precision[found][-1])
    recall = np.append(recall[found], 0.0)
    width, alpha = (1.6, 1.0) if is_first else (0.8, 0.4)
    axes.plot(
        recall,
        precision,
        style.line,
        drawstyle="steps-post",
        color=style.colour,
        linewidth=width,
        alpha=alpha,
    )


def _point(axes: Axes, entry: Entry, style: Style) -> Artist:
    """What the system decides, and what stands for it in the legend."""
    scores = entry.breakdown.overall.first
    (point,) = axes.plot(
        _or_nan(scores["recall"]),
        _or_nan(scores["precision"]),
        # shown in the legend alone: a single point has no line
        linestyle=style.line if entry.system.first.p_tp else "none",
        marker=style.marker,
        color=style.colour,
        markeredgecolor="white",
        markersize=8,
        # a marker at 0 or 1 is cut in half by the axes otherwise
        clip_on=False,
        zorder=5,
    )
    return point


def _or_nan(value: float | None) -> float:
    """NaN, which is drawn nowhere, for None."""
    return math.nan if value is None else value


def _f1_lines(axes: Axes) -> None:
    for f1 in F1_LINES:
        # F1 = 2pr / (p + r), so p = F1 r / (2r - F1), which is 1 at this recall. F1 is symmetric,
        # so this is also the precision at recall 1, where the label stands
        lowest = f1 / (2 - f1)
        recall = [lowest + (1 - lowest) * step / 60 for step in range(61)]
        axes.plot(recall, [f1 * r / (2 * r - f1) for r in recall], color="#d9d9d9", linewidth=0.7)
        axes.text(1.025, lowest, f"F1 {f1}", color=GREY, fontsize=7, va="center")


def _pr_label(entry: Entry) -> str:
    average = entry.breakdown.overall.measured["average_precision"].mean
    score = "decisions only" if average is None else f"AP {average:.3f}"
    return f"{short(entry.system.title)}: {score}"


def _pr_alt(done: Comparison) -> str:
    parts = []
    for entry in done.entries:
        scores = entry.breakdown.overall.first
        precision, recall = number(scores["precision"]), number(scores["recall"])
        parts.append(f"{entry.system.title}: precision {precision} at recall {recall}")
    return f"Precision against recall. {listed(parts)}."


def _reliability(
    entry: Entry, truth: Sequence[bool], p_tp: Sequence[float], style: Style
) -> Picture:
    # an empty bin has no share, and 0 would look like one
    bins = [each for each in reliability(truth, p_tp, PICTURE_BINS) if each.count]
    with drawing():
        figure = Figure(figsize=(3.2, 3.6), layout="constrained")
        top, bottom = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        top.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
        for each in bins:
            assert each.mean_p is not None and each.share_tp is not None, "the bin is not empty"
            # Wilson's interval stays inside 0 to 1 and has a width even where all are real
            low, high = wilson(round(each.share_tp * each.count), each.count)
            top.plot([each.mean_p] * 2, [low, high], color=style.colour, alpha=0.35, linewidth=3)
            top.plot(each.mean_p, each.share_tp, style.marker, color=style.colour, clip_on=False)
            middle = (each.low + each.high) / 2
            bottom.bar(middle, each.count, width=0.085, color=style.colour, alpha=0.6)
            bottom.text(middle, each.count, str(each.count), ha="center", va="bottom", fontsize=7)
        top.set(ylim=(0, 1), ylabel="Share of real smells", title=short(entry.system.title))
        bottom.set(xlim=(0, 1), xlabel="p(TP)", yticks=[])
        bottom.set_ylabel("Samples", fontsize=7)
        bottom.margins(y=0.3)
        error = number(entry.breakdown.overall.first["expected_calibration_error"])
        # the alternative text has every number: who cannot see the picture misses none
        counts = [
            f"{b.count} samples near {number(b.mean_p)}, {number(b.share_tp)} real" for b in bins
        ]
        return picture(
            figure,
            f"Calibration of {entry.system.title}, expected calibration error {error}: "
            f"{listed(counts)}.",
        )


LABEL_WIDTH = 16
"""Characters in a line of a smell's or technology's name, beside a band."""

PALE = 0.4
"""How solid a score is drawn that rests on few real smells."""


def f1_overall(done: Comparison) -> Picture:
    """F1 on all samples, a row a system."""
    count = len(done.entries)
    with drawing():
        figure = Figure(figsize=(5, 0.9 + 0.32 * count), layout="constrained")
        axes = figure.add_subplot()
        for index, (style, entry) in enumerate(zip(_styles(done), done.entries, strict=True)):
            _dot(axes, index, entry.breakdown.overall.measured["f1"], style, 1.0)
        axes.set_yticks(range(count), [short(entry.system.title) for entry in done.entries])
        _finish(axes, count)
        parts = [_words(entry.system.title, entry.breakdown.overall) for entry in done.entries]
        return picture(figure, f"F1 on all samples with 95 % intervals. {listed(parts)}.")


def f1_by_smell(done: Comparison) -> Picture:
    """F1 by smell: a band a smell, a row a system in each."""
    return _by(done, "smell", lambda entry: entry.breakdown.by_smell)


def f1_by_technology(done: Comparison) -> Picture:
    """F1 by technology: a band a technology, a row a system in each."""
    return _by(done, "technology", lambda entry: entry.breakdown.by_technology)


def _by(
    done: Comparison, kind: str, subsets_of: Callable[[Entry], Sequence[SystemScores]]
) -> Picture:
    # every system decides the same samples, so the first has the subsets of all
    names = [subset_title(subset) for subset in subsets_of(done.entries[0])]
    count = len(done.entries)
    rows_a_band = count + 1  # the last stays empty: it parts one band from the next
    with drawing():
        # inches: axis and labels, a row each, and a legend of two columns
        height = 0.7 + 0.18 * rows_a_band * len(names) + 0.18 * ((count + 1) // 2)
        figure = Figure(figsize=(5, height), layout="constrained")
        axes = figure.add_subplot()
        handles = []
        for index, (style, entry) in enumerate(zip(_styles(done), done.entries, strict=True)):
            for band, subset in enumerate(subsets_of(entry)):
                alpha = PALE if subset.first.few_positives else 1.0
                _dot(axes, band * rows_a_band + index, subset.measured["f1"], style, alpha)
            handles.append(_handle(axes, style))
        for band in range(1, len(names)):
            axes.axhline(band * rows_a_band - 1, color="#d9d9d9", linewidth=0.7)
        axes.set_yticks([band * rows_a_band + (count - 1) / 2 for band in range(len(names))])
        # names of smells are long, and textwrap breaks at spaces, not at underscores
        axes.set_yticklabels([fill(name.replace("_", " "), LABEL_WIDTH) for name in names])
        axes.tick_params(axis="y", length=0)
        _finish(axes, rows_a_band * len(names) - 1)
        labels = [short(entry.system.title) for entry in done.entries]
        figure.legend(handles, labels, loc="outside lower left", ncols=2, fontsize=8)
        parts = [
            _words(f"{entry.system.title}, {subset.name}", subset)
            for entry in done.entries
            for subset in subsets_of(entry)
        ]
        return picture(figure, f"F1 by {kind} with 95 % intervals. {listed(parts)}.")


def _styles(done: Comparison) -> list[Style]:
    return styles([entry.system for entry in done.entries])


def _dot(axes: Axes, row: float, found: Measured, style: Style, alpha: float) -> None:
    # said, where an empty row could pass for a system that was left out
    if found.mean is None:
        axes.text(0.01, row, "not defined", fontsize=7, va="center", color=style.colour)
        return
    if found.interval is not None:
        ends = [found.interval.low, found.interval.high]
        axes.plot(ends, [row, row], color=style.colour, linewidth=2, alpha=0.5 * alpha)
    axes.plot(
        found.mean,
        row,
        style.marker,
        color=style.colour,
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.6,
        alpha=alpha,
        clip_on=False,
        zorder=5,
    )


def _handle(axes: Axes, style: Style) -> Artist:
    # an empty line: the legend needs a marker of full colour, even if all points drawn are pale
    (handle,) = axes.plot([], [], style.marker, color=style.colour)
    return handle


def _finish(axes: Axes, rows: int) -> None:
    # from high to low: the first system stands on top, as in the tables
    axes.set(xlim=(0, 1), ylim=(rows - 0.4, -0.6), xlabel="F1 of TP")
    axes.grid(axis="x", color="#ececec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _words(name: str, subset: SystemScores) -> str:
    found = subset.measured["f1"]
    return f"{name}: {number(found.mean)} ({span(found.interval)})"
