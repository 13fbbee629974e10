"""Figures of p(TP): precision against recall, and whether p(TP) means what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from iacfilter_hpc.evaluation.calibration import reliability
from iacfilter_hpc.evaluation.comparison.canvas import (
    GREY,
    Picture,
    Style,
    drawing,
    listed,
    picture,
    short,
    styles,
)
from iacfilter_hpc.evaluation.comparison.compare import Comparison, Entry
from iacfilter_hpc.evaluation.comparison.sentences import number
from iacfilter_hpc.evaluation.comparison.systems import Member
from iacfilter_hpc.evaluation.wilson import wilson

BINS = 10
F1_LINES = (0.5, 0.6, 0.7, 0.8, 0.9)


def precision_recall(done: Comparison) -> Picture:
    """A curve for each system that has p(TP), and a point for what each decides."""
    truth = [sample.label == "TP" for sample in done.data.samples]
    with drawing():
        figure = Figure(figsize=(5, 4.2 + 0.18 * len(done.entries)), layout="constrained")
        axes = figure.add_subplot(box_aspect=0.85)
        _f1_lines(axes)
        handles, labels = [], []
        looks = styles([entry.system for entry in done.entries])
        for look, entry in zip(looks, done.entries, strict=True):
            for member in reversed(entry.system.members):
                _curve(axes, truth, member, look, is_first=member is entry.system.first)
            handles.append(_point(axes, entry, look))
            labels.append(_pr_label(entry))
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision")
        figure.legend(handles, labels, loc="outside lower left", fontsize=8)
        return picture(figure, _pr_alt(done))


def calibration(done: Comparison) -> list[Picture]:
    """A picture for each system that has p(TP): the share of real smells at each p(TP), counts."""
    truth = [sample.label == "TP" for sample in done.data.samples]
    looks = styles([entry.system for entry in done.entries])
    return [
        _reliability(entry, truth, p_tp, look)
        for look, entry in zip(looks, done.entries, strict=True)
        if (p_tp := entry.system.first.p_tp) is not None
    ]


def _curve(
    axes: Axes, truth: Sequence[bool], member: Member, look: Style, *, is_first: bool
) -> None:
    """Steps, as average precision adds them up; other seeds are drawn thin."""
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
        look.line,
        drawstyle="steps-post",
        color=look.colour,
        linewidth=width,
        alpha=alpha,
    )


def _point(axes: Axes, entry: Entry, look: Style) -> Artist:
    """What the system decides, and what stands for it in the legend."""
    scores = entry.cells.overall.first
    (point,) = axes.plot(
        math.nan if scores.recall is None else scores.recall,
        math.nan if scores.precision is None else scores.precision,
        linestyle=look.line if entry.system.first.p_tp else "none",
        marker=look.marker,
        color=look.colour,
        markeredgecolor="white",
        markersize=8,
        clip_on=False,
        zorder=5,
    )
    return point


def _f1_lines(axes: Axes) -> None:
    for f1 in F1_LINES:
        lowest = f1 / (2 - f1)
        recall = [lowest + (1 - lowest) * step / 60 for step in range(61)]
        axes.plot(recall, [f1 * r / (2 * r - f1) for r in recall], color="#d9d9d9", linewidth=0.7)
        axes.text(1.025, lowest, f"F1 {f1}", color=GREY, fontsize=7, va="center")


def _pr_label(entry: Entry) -> str:
    average = entry.cells.overall.measured["average_precision"].mean
    told = "decisions only" if average is None else f"AP {average:.3f}"
    return f"{short(entry.system.title)}: {told}"


def _pr_alt(done: Comparison) -> str:
    parts = [
        f"{entry.system.title}: precision {number(entry.cells.overall.first.precision)} at recall "
        f"{number(entry.cells.overall.first.recall)}"
        for entry in done.entries
    ]
    return f"Precision against recall. {listed(parts)}."


def _reliability(
    entry: Entry, truth: Sequence[bool], p_tp: Sequence[float], look: Style
) -> Picture:
    bins = [each for each in reliability(truth, p_tp, BINS) if each.count]
    with drawing():
        figure = Figure(figsize=(3.2, 3.6), layout="constrained")
        top, bottom = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        top.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
        for each in bins:
            assert each.mean_p is not None and each.share_tp is not None, "the bin is not empty"
            low, high = wilson(round(each.share_tp * each.count), each.count)
            top.plot([each.mean_p] * 2, [low, high], color=look.colour, alpha=0.35, linewidth=3)
            top.plot(each.mean_p, each.share_tp, look.marker, color=look.colour, clip_on=False)
            middle = (each.low + each.high) / 2
            bottom.bar(middle, each.count, width=0.085, color=look.colour, alpha=0.6)
            bottom.text(middle, each.count, str(each.count), ha="center", va="bottom", fontsize=7)
        top.set(ylim=(0, 1), ylabel="Share of real smells", title=short(entry.system.title))
        bottom.set(xlim=(0, 1), xlabel="p(TP)", yticks=[])
        bottom.set_ylabel("Samples", fontsize=7)
        bottom.margins(y=0.3)
        error = number(entry.cells.overall.first.expected_calibration_error)
        counts = [
            f"{b.count} samples near {number(b.mean_p)}, {number(b.share_tp)} real" for b in bins
        ]
        return picture(
            figure,
            f"Calibration of {entry.system.title}, expected calibration error {error}: "
            f"{listed(counts)}.",
        )
