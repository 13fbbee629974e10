"""Draw into SVG with matplotlib: no window, no global state, colours that most can tell apart."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.figure import Figure

from iacfilter_hpc.evaluation.comparison.systems import System

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette without yellow, which paper swallows. Source: https://jfly.uni-koeln.de/color"""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
LINES = ("-", "--", "-.", ":")
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
    """How one system looks in every figure."""

    colour: str
    marker: str
    line: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as SVG. `alt` says in words what it shows; `width` is in CSS pixels."""

    svg: str
    alt: str
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture inside an address: nothing else has to be fetched."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()}"


def styles(systems: Sequence[System]) -> list[Style]:
    """That of each system; baselines are grey."""
    made = []
    coloured = 0
    for index, system in enumerate(systems):
        colour = GREY
        if system.kind != "baseline":
            colour = COLOURS[coloured % len(COLOURS)]
            coloured += 1
        line = LINES[index // len(COLOURS) % len(LINES)]
        made.append(Style(colour, MARKERS[index % len(MARKERS)], line))
    return made


@contextmanager
def drawing() -> Iterator[None]:
    """Figures made and saved inside look alike, and leave matplotlib's settings as they were."""
    with rc_context(), warnings.catch_warnings():
        rcdefaults()  # whatever the person's own matplotlibrc says
        rcParams.update(SETTINGS)
        # the reader's browser may have glyphs that this machine's fonts lack
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def picture(figure: Figure, alt: str) -> Picture:
    """The figure, drawn."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    width, height = figure.get_size_inches() * 96
    return Picture(buffer.getvalue(), alt, round(width), round(height))


def short(text: str) -> str:
    """A name as it fits into a figure."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def listed(texts: Sequence[str]) -> str:
    """Words for an alternative text."""
    return "; ".join(texts)
