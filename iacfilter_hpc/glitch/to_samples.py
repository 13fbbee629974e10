"""Detections to samples: all usable rows of a report, and an account of every other row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from iacfilter_hpc.errors import numbered
from iacfilter_hpc.glitch.oracle import Oracle, OracleLabel
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.report import BadRow, Detection, GlitchReport
from iacfilter_hpc.glitch.scripts import Scripts, UnreadableScript, find_prefix
from iacfilter_hpc.samples.groups import Groups
from iacfilter_hpc.samples.prompt import NEWEST, PromptForm, Reported, build_prompt
from iacfilter_hpc.samples.sample import MAX_LINE_BYTES, Label, Sample, line_of
from iacfilter_hpc.samples.smells import BY_NAME, RULES
from iacfilter_hpc.samples.technologies import technology_of

# as in the data of IntelliSA (arXiv 2601.14595), whose format of samples this is
AROUND = 5
"""Lines of context before and after the reported one."""
MISMATCH = Reason(Cause.MISMATCH, "the line does not hold what GLITCH reports")
WORDS_COMPARED = 100
"""Of what GLITCH reports: a row of a megabyte must not take minutes."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A detection that makes no sample, and why."""

    detection: Detection
    reason: Reason


def build_sample(
    detection: Detection,
    scripts: Scripts,
    *,
    technology: str | None,
    label: Label | None = None,
    source: str,
    confidence: float | None = None,
    groups: Groups | None = None,
    form: PromptForm = NEWEST,
) -> Sample | Unusable:
    """Make the sample of a detection, or say why not. `technology` None: by the file's path.

    `label`, `confidence` and `groups` are what is known of it already, perhaps nothing. `form` is
    that of the prompt: a model is asked in the words that it was trained in.
    """
    file = scripts.relative(detection.path)
    # what needs no script comes before what opens one
    if problem := _problem_of(detection, scripts, file):
        return Unusable(detection, problem)
    assert file is not None and detection.smell is not None, "checked by _problem_of"
    # the whole path: the folder may be .github/workflows itself
    known = technology or technology_of(str(scripts.folder.absolute() / file))
    if known is None:
        text = "technology unknown: pass --technology"
        return Unusable(detection, Reason(Cause.NO_TECHNOLOGY, text))
    try:
        lines = scripts.lines(file)
    except UnreadableScript as error:
        return Unusable(detection, error.reason)
    if not 1 <= detection.line <= len(lines):
        return Unusable(detection, _missing_line(detection.line, len(lines)))
    first, last = max(1, detection.line - AROUND), min(len(lines), detection.line + AROUND)
    context = lines[first - 1 : last]
    reported = lines[detection.line - 1]
    # a prefix is a guess, and main.yml is everywhere: another file's line must not remove a finding
    if not _holds(
        context if BY_NAME[detection.smell].is_of_a_block else [reported], detection.detail
    ):
        return Unusable(detection, MISMATCH)
    origin = (groups or Groups()).of(file)
    sample = Sample(
        smell=detection.smell,
        file=file,
        content=reported.strip(),
        line=detection.line,
        detection_span=(first, last),
        with_context="\n".join(context),
        with_prompt=build_prompt(
            *(detection.smell, file, detection.line, first, context),
            Reported(known, detection.code, detection.description),
            form,
        ),
        label=label,
        source=source,
        confidence=confidence,
        technology=known,
        repo=origin.repo,
        family=origin.family,
    )
    # what is written here must be read again: read_sample_file takes no longer line
    if len(line_of(sample).encode()) >= MAX_LINE_BYTES:
        longer = numbered("its sample is longer than {} MiB", MAX_LINE_BYTES // 2**20)
        return Unusable(detection, Reason(Cause.TOO_LONG, *longer))
    return sample


def _problem_of(detection: Detection, scripts: Scripts, file: str | None) -> Reason | None:
    """What is wrong with a detection before its script is read."""
    if detection.smell is None:
        return Reason(
            Cause.UNKNOWN_CODE, f"code {detection.code} is none of GLITCH's {len(RULES)} rules"
        )
    if file is None:
        under = f"below {scripts.prefix}, or leads" if scripts.prefix else "relative, or leads"
        return Reason(Cause.OUTSIDE, f"its path is not {under} out of {scripts.folder}")
    # bytes that are no UTF-8 cannot stand in a sample's JSON
    if any("\udc80" <= character <= "\udcff" for character in file):
        return Reason(Cause.NOT_UTF8, "its path is not UTF-8")
    return None


def _missing_line(line: int, count: int) -> Reason:
    if line < 1:
        return Reason(Cause.NO_SUCH_LINE, *numbered("line is {}", line))
    past = numbered("line {} is past the end ({} lines)", line, count)
    return Reason(Cause.NO_SUCH_LINE, *past)


def _holds(lines: Sequence[str], detail: str) -> bool:
    """Whether any word of what GLITCH quotes stands in the lines.

    If not, the script is another one of the same name, or has changed since GLITCH read it. GLITCH
    joins name and value in its own way, so words are all that can be compared; where it quotes
    none, as in the replication package's form, nothing can be told. Of a value of several lines the
    first is reported, and it holds the name.
    """
    # short words stand in almost every line, so they count only where there are no others
    words = _words(r"\w{3,}", detail) or _words(r"\w+", detail)
    texts = [line.casefold() for line in lines]
    return not words or any(word in text for word in words for text in texts)


def _words(pattern: str, text: str) -> list[str]:
    return [match[0].casefold() for match in islice(re.finditer(pattern, text), WORDS_COMPARED)]


@dataclass(frozen=True, slots=True)
class RowSelection:
    """Selection from a report: `smells` are names or codes to keep; `technology` None: by path."""

    smells: frozenset[str]
    technology: str | None
    source: str
    oracle: Oracle | None
    groups: Groups

    def takes(self, row: Detection) -> bool:
        """Whether a row is asked for: by its smell, or by GLITCH's own code."""
        return not self.smells.isdisjoint((row.smell, row.code))


@dataclass(frozen=True, slots=True)
class Intake:
    """Result of an import: samples in the report's order, and what became of the other rows.

    `merged` counts rows that repeat a file, line and smell; `other` rows of smells not selected, by
    smell or by a code that is none of ours; `latin1` and `ungrouped` are files.
    """

    samples: tuple[Sample, ...]
    rows: int
    merged: int
    other: tuple[tuple[str, int], ...]
    unusable: tuple[Unusable, ...]
    bad: tuple[BadRow, ...]
    latin1: tuple[str, ...]
    ungrouped: tuple[str, ...]


def prefix_of(report: GlitchReport, folder: Path) -> str:
    """The prefix of a report's paths that stands for the folder (see find_prefix)."""
    return find_prefix((row.path for row in report.rows() if isinstance(row, Detection)), folder)


def take_in(
    rows: Iterable[Detection | BadRow], scripts: Scripts, selection: RowSelection
) -> Intake:
    """Make samples of a report's rows; blank lines are no rows."""
    samples: list[Sample] = []
    unusable: list[Unusable] = []
    bad: list[BadRow] = []
    other: Counter[str] = Counter()
    seen: set[tuple[str, int, str]] = set()
    count = merged = 0
    for row in rows:
        if isinstance(row, BadRow):
            if not row.is_blank:
                bad.append(row)
                count += 1
            continue
        count += 1
        if row.smell is None or not selection.takes(row):
            other[row.smell or f"{row.code} (unknown)"] += 1
            continue
        # by file below the folder: one report may spell a path in two ways
        reported = (scripts.relative(row.path) or row.path, row.line, row.smell)
        if reported in seen:
            merged += 1
            continue
        seen.add(reported)
        made = _labelled(row, scripts, selection)
        (unusable if isinstance(made, Unusable) else samples).append(made)  # type: ignore[arg-type]
    latin1 = set(scripts.latin1)
    files = sorted({sample.file for sample in samples})
    return Intake(
        samples=tuple(samples),
        rows=count,
        merged=merged,
        other=tuple(sorted(other.items())),
        unusable=tuple(unusable),
        bad=tuple(bad),
        # scripts are read for rows without a sample too, and only files of samples need a person's
        # eye
        latin1=tuple(file for file in files if file in latin1),
        ungrouped=tuple(file for file in files if selection.groups.of(file) == Groups().rest),
    )


def _labelled(detection: Detection, scripts: Scripts, selection: RowSelection) -> Sample | Unusable:
    """The sample of a detection with the oracle's label, if there is an oracle."""
    found: OracleLabel | None = None
    file = scripts.relative(detection.path)
    if selection.oracle is not None and file is not None and detection.smell is not None:
        found = selection.oracle.label_of(file, detection.line, detection.smell)
    made = build_sample(
        detection,
        scripts,
        technology=selection.technology,
        label=found.label if found else None,
        source=selection.source,
        confidence=found.confidence if found else None,
        groups=selection.groups,
    )
    # nobody has looked at that file: silence is no label, and FP would be a guess
    if isinstance(made, Sample) and selection.oracle is not None and found is None:
        return Unusable(detection, Reason(Cause.NOT_IN_ORACLE, "file is not in the oracle"))
    return made
