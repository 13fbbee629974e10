"""Section of the model card, final/README.md, that tells of a calibration."""

from __future__ import annotations

import re
from pathlib import Path

from iacfilter_hpc.checkpoints.manifest import CARD
from iacfilter_hpc.errors import counted
from iacfilter_hpc.evaluation.text import NONE, number
from iacfilter_hpc.runs.files import write_atomically
from iacfilter_hpc.trained_model.calibration import Calibration, Figure
from iacfilter_hpc.trained_model.markdown import code
from iacfilter_hpc.trained_model.tables import markdown_table

HEADING = "## Calibration"
SHOWN = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "mcc": "MCC",
    "average_precision": "AP",
}
"""Figures of the outer folds, by key of evaluation.metrics.METRICS, and what people call them."""

TEXT = """\
p(TP) is calibrated, and a detection counts as TP if it is at least {threshold:.4f}: temperature and
threshold above are those of training. `calibration.json` was fitted to {labels} of {file}
(sha256 {sha256}): {tp} TP and {fp} FP of {families}. Form: {form}.{partners}

These figures are of outer folds, each judged by a calibration that had no sample of its families;
intervals (95 %) are over families.

{figures}"""


def tell_in_card(final: Path, calibration: Calibration | None) -> None:
    """Write the section, in place of an earlier one; None takes it away. No card stays none."""
    path = final / CARD
    # the owner may have edited the card or taken it away: it is about the model, no part of it
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    kept = re.sub(rf"^{HEADING}\n.*?(?=^## |\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    if calibration is not None:
        kept = _with_section(kept, f"{HEADING}\n\n{_section(calibration)}\n")
    if kept != text:
        write_atomically(path, kept)


def _with_section(text: str, section: str) -> str:
    before, heading, rest = text.partition("\n## Limits\n")
    return f"{before.rstrip()}\n\n{section}{heading}{rest}"


def _section(calibration: Calibration) -> str:
    data, labels = calibration.data, calibration.labels
    names = ", ".join(code(partner.name) for partner in calibration.partners)
    return TEXT.format(
        threshold=calibration.threshold,
        labels=counted(data.samples, "label"),
        file=code(Path(data.file).name),
        sha256=code(data.sha256[:8]),
        tp=sum(each.tp for each in labels),
        fp=sum(each.fp for each in labels),
        families=counted(data.families, "family", "families"),
        form=calibration.form,
        partners=f" Its log-odds are averaged with those of {names}." if names else "",
        figures=figures_table(calibration),
    )


def figures_table(calibration: Calibration) -> str:
    """Figures of the outer folds and of the model before, as a table in Markdown."""
    folds = calibration.folds
    rows = [
        [title, shown(folds.before[key]), shown(folds.figures[key])] for key, title in SHOWN.items()
    ]
    return markdown_table(["", "as it was trained", "calibrated"], rows)


def shown(figure: Figure) -> str:
    """A figure with its interval."""
    if figure.low is None or figure.high is None:
        return number(figure.value) if figure.value is not None else NONE
    return f"{number(figure.value)} ({number(figure.low)} to {number(figure.high)})"
