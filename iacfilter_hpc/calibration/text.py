"""Calibration result: text and JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from iacfilter_hpc.calibration.calibrate import Calibrated
from iacfilter_hpc.calibration.card import SHOWN, shown
from iacfilter_hpc.errors import counted
from iacfilter_hpc.trained_model.calibration import FILE
from iacfilter_hpc.trained_model.tables import aligned_table


def document(done: Calibrated) -> dict[str, Any]:
    """Document of a calibration, as plain JSON types; scores of single samples are in its file."""
    found = done.calibration
    return {
        "run": done.model.name,
        "file": str(done.model.final / FILE),
        "model": found.model,
        "sha256": found.sha256,
        "form": found.form,
        "penalty": found.penalty,
        "intercept": found.intercept,
        "terms": [asdict(term) for term in found.terms],
        "threshold": found.threshold,
        "partners": [asdict(partner) for partner in found.partners],
        "data": asdict(found.data),
        "labels": [asdict(count) for count in found.labels],
        "folds": asdict(found.folds),
        "warnings": list(done.warnings),
    }


def render(done: Calibrated) -> str:
    """Text of a calibration: what fitted it, figures of the outer folds, what was written."""
    found = done.calibration
    data, folds, labels = found.data, found.folds, found.labels
    names = [partner.name for partner in found.partners]
    columns = ["", "as it was trained", "calibrated"]
    rows = [
        [title, shown(folds.before[key]), shown(folds.figures[key])] for key, title in SHOWN.items()
    ]
    keeps = all(term.kind == "log_odds" for term in found.terms)
    votes = sum(term.kind == "vote" for term in found.terms)
    lines = [
        f"Calibrated {done.model.name} on {counted(data.samples, 'sample')} of "
        f"{counted(data.families, 'family', 'families')} "
        f"({sum(each.tp for each in labels)} TP, {sum(each.fp for each in labels)} FP)",
        *([f"  averaged   with {', '.join(names)}"] if names else []),
        f"  form       {found.form}"
        + (f" ({counted(votes, 'labelling function')})" if votes else ""),
        f"  threshold  TP if p(TP) >= {found.threshold:.4f}",
        "",
        aligned_table(columns, rows, columns[1:]),
        "",
        f"Scores of {counted(folds.outer, 'outer fold')} (seed {folds.seed}), each judged without "
        "its labels and families;",
        "in brackets the 95 % interval over families. As it was trained: at its own threshold.",
        "AP pools p(TP) of all folds, each on a scale of its own.",
        *(
            ["Offset and scale keep the order of samples, so the AP of one model stays."]
            if keeps
            else []
        ),
        *(f"  fold {number} chose {chosen}" for number, chosen in enumerate(folds.chosen, start=1)),
        f"Written: {done.model.final / FILE}",
        f"Next: iacfilter-filter --model {Path(done.model.name).name} report.csv --scripts DIR",
    ]
    return "\n".join(lines)
