"""Summary of a filtered report for a job's page, in Markdown: counts by smell and the findings.

It is public where its repository is, so it names places and no line: one may hold a password. Names
of files and codes are a stranger's, and stand in it as code, which nothing in them ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from iacfilter_hpc.errors import counted
from iacfilter_hpc.glitch.decisions import OTHER, DecidedRow, Tally
from iacfilter_hpc.glitch.report import BadRow
from iacfilter_hpc.glitch.sarif import DecidingModel
from iacfilter_hpc.samples.smells import title_of
from iacfilter_hpc.trained_model.markdown import code, escaped
from iacfilter_hpc.trained_model.tables import markdown_table

LISTED = 100
"""Findings by name; GitHub takes 1 MiB of summary a step, and nobody reads more."""

Write = Callable[[bytes], object]


@dataclass(slots=True)
class JobSummary:
    """Summary that takes findings as they come, and is written at the end."""

    write: Write
    model: DecidingModel
    findings: int = 0
    _rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, findings: Iterable[DecidedRow]) -> None:
        """Note the next findings."""
        for each in findings:
            self.findings += 1
            if len(self._rows) < LISTED:
                self._rows.append(_cells(each))

    def end(self, tally: Tally) -> None:
        """Write the summary of all rows."""
        parts = [
            f"### Security smells: {counted(self.findings, 'finding')}, "
            f"{counted(tally.total().fp, 'false alarm')} set aside",
            _by_smell(tally),
            *self._listed(),
            f"Judged by {code(self.model.name)}: p(TP) >= {self.model.threshold:.4f} is kept, and "
            "so is what cannot be judged.",
        ]
        self.write(("\n\n".join(parts) + "\n").encode("utf-8", "replace"))

    def _listed(self) -> list[str]:
        if not self._rows:
            return []
        more = self.findings - len(self._rows)
        rest = [f"and {counted(more, 'more finding')}"] if more else []
        return [markdown_table(["place", "smell", "p(TP)"], self._rows), *rest]


def _cells(judged: DecidedRow) -> tuple[str, str, str]:
    found = judged.row.found
    if isinstance(found, BadRow):
        return f"row {found.row} of the report", "cannot be read", ""
    path = (judged.file or found.path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    smell = code(found.code) if found.smell is None else escaped(title_of(found.smell))
    return code(f"{path}:{found.line}"), smell, _certainty(judged)


def _certainty(judged: DecidedRow) -> str:
    if judged.decision is None:
        return "not judged"
    # a person's decision has none
    return "" if judged.p_tp is None else f"{judged.p_tp:.2f}"


def _by_smell(tally: Tally) -> str:
    rows = [
        (
            escaped(name if name == OTHER else title_of(name)),
            *map(str, (c.rows, c.tp, c.fp, c.unjudged)),
        )
        for name, c in tally.by_smell().items()
    ]
    return markdown_table(["smell", "rows", "TP", "FP", "not judged"], rows)
