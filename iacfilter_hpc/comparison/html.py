"""HTML report: a comparison in one file that needs no network, no script and no other file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from iacfilter_hpc import __version__
from iacfilter_hpc.comparison import tables
from iacfilter_hpc.comparison.compare import Comparison, Entry
from iacfilter_hpc.comparison.figures import (
    Picture,
    calibration,
    f1_by_smell,
    f1_by_technology,
    f1_overall,
    precision_recall,
)
from iacfilter_hpc.comparison.sentences import conclusions, method, pooled, representative, subject
from iacfilter_hpc.comparison.systems import PROTOCOLS

TEMPLATE = "report.html.j2"
DARKEST = 0.55
"""Opacity of a cell of a confusion matrix that holds all of its row.

The page's text has a contrast of 7 to 1 on it, of 3 to 1 on the full blue; WCAG 2.2 asks for 4.5.
Source: https://www.w3.org/TR/WCAG22/#contrast-minimum
"""


@dataclass(frozen=True, slots=True)
class Square:
    """Cell of a confusion matrix; `ink` from 0 to 1 is how dark it is."""

    count: int
    share: str
    ink: float


@dataclass(frozen=True, slots=True)
class ConfusionPicture:
    """ConfusionPicture matrix of one system: rows are real, columns decided, TP first."""

    title: str
    note: str
    real_tp: tuple[Square, Square]
    real_fp: tuple[Square, Square]


@dataclass(frozen=True, slots=True)
class Figures:
    """Pictures of the report."""

    overall: Picture
    by_smell: Picture
    by_technology: Picture
    precision_recall: Picture
    calibration: tuple[Picture, ...]


def render_html(done: Comparison) -> str:
    """HTML report with its figures; text from outside is escaped wherever it stands."""
    # names of files, systems and smells come from data of others, so nothing is left unescaped; a
    # name that the template misspells must fail here, not leave an empty place in the report
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text: str = environment.get_template(TEMPLATE).render(
        done=done,
        version=__version__,
        subject=subject(done),
        conclusions=conclusions(done),
        method=method(done),
        pooled=pooled(done),
        protocols=PROTOCOLS,
        tables={table.name: table for table in tables.all_tables(done)},
        confusions=[_confusion(entry) for entry in done.entries],
        figures=_figures(done),
    )
    return text


def _figures(done: Comparison) -> Figures:
    return Figures(
        overall=f1_overall(done),
        by_smell=f1_by_smell(done),
        by_technology=f1_by_technology(done),
        precision_recall=precision_recall(done),
        calibration=tuple(calibration(done)),
    )


def _confusion(entry: Entry) -> ConfusionPicture:
    # counts of several seeds cannot be averaged into counts: the first member stands for all
    scores, note = entry.breakdown.overall.first, representative(entry.system)
    return ConfusionPicture(
        title=entry.system.title,
        note="" if note is None else f": {note}",
        real_tp=(_square(scores.tp, scores.tp + scores.fn), _square(scores.fn, scores.support)),
        real_fp=(
            _square(scores.fp, scores.fp + scores.tn),
            _square(scores.tn, scores.fp + scores.tn),
        ),
    )


def _square(count: int, row: int) -> Square:
    # shares of a row, not of all samples: real smells kept, and false alarms removed
    share = count / row if row else 0.0
    return Square(count, f"{share:.0%}" if row else "-", round(DARKEST * share, 3))
