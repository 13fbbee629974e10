"""Turn one detection and the script it is about into a sample, or say why that cannot be done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from iacfilter_hpc.detections.fields import Label
from iacfilter_hpc.detections.glitch import Detection
from iacfilter_hpc.detections.groups import Groups
from iacfilter_hpc.detections.prompt import build_prompt
from iacfilter_hpc.detections.samples import MAX_LINE_BYTES, TECHNOLOGY_OF_SUFFIX, Sample
from iacfilter_hpc.detections.scripts import Scripts, Unreadable
from iacfilter_hpc.detections.write import line_of

AROUND = 5
"""Lines of context before and after the reported one."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A detection that makes no sample; `reason` says why, in words."""

    detection: Detection
    reason: str


def build_sample(
    detection: Detection,
    scripts: Scripts,
    *,
    technology: str | None,
    label: Label | None = None,
    source: str,
    confidence: float | None = None,
    groups: Groups | None = None,
) -> Sample | Unusable:
    """The sample of a detection. `technology` None means: as the file's extension says."""
    file = scripts.relative(detection.path)
    if problem := _problem_of(detection, scripts, file):
        return Unusable(detection, problem)
    assert file is not None and detection.smell is not None, "checked by _problem_of"
    known = technology or TECHNOLOGY_OF_SUFFIX.get(PurePosixPath(file).suffix.lower())
    if known is None:
        return Unusable(detection, "technology unknown: pass --technology")
    try:
        lines = scripts.lines(file)
    except Unreadable as reason:
        return Unusable(detection, str(reason))
    if not 1 <= detection.line <= len(lines):
        return Unusable(detection, _missing_line(detection.line, len(lines)))
    first, last = max(1, detection.line - AROUND), min(len(lines), detection.line + AROUND)
    context = lines[first - 1 : last]
    origin = (groups or Groups()).of(file)
    sample = Sample(
        smell=detection.smell,
        file=file,
        content=lines[detection.line - 1].strip(),
        line=detection.line,
        detection_span=(first, last),
        with_context="\n".join(context),
        with_prompt=build_prompt(detection.smell, file, detection.line, first, context),
        label=label,
        source=source,
        confidence=confidence,
        technology=known,
        repo=origin.repo,
        family=origin.family,
    )
    if len(line_of(sample).encode()) >= MAX_LINE_BYTES:
        return Unusable(detection, f"its sample is longer than {MAX_LINE_BYTES // 2**20} MiB")
    return sample


def _problem_of(detection: Detection, scripts: Scripts, file: str | None) -> str | None:
    """What is wrong with a detection before its script is read."""
    if detection.smell is None:
        return f"code {detection.code} is none of the nine smells"
    if file is None:
        under = f"below {scripts.prefix}, or leads" if scripts.prefix else "relative, or leads"
        return f"its path is not {under} out of {scripts.folder}"
    # bytes that are no UTF-8 cannot stand in a sample's JSON
    if any("\udc80" <= character <= "\udcff" for character in file):
        return "its path is not UTF-8"
    return None


def _missing_line(line: int, count: int) -> str:
    if line < 1:
        return f"line is {line}"
    return f"line {line} is past the end ({count} lines)"
