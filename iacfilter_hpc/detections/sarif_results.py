"""One judged detection as a result object of SARIF 2.1.0 (section 3.27)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from iacfilter_hpc.detections.glitch import Detection
from iacfilter_hpc.detections.judged import Judged
from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.detections.sarif_rules import level_of, rule_of
from iacfilter_hpc.detections.smells import title_of

ROOT = "SRCROOT"
"""What paths below the scripts' folder are relative to."""
FINGERPRINT = "iacfilterDetection/v1"
LONGEST_SNIPPET = 1000


@dataclass(frozen=True, slots=True)
class Judge:
    """What a log says about who decided: the model's name, and its threshold in words."""

    model: str
    threshold: float
    origin: str


def result_of(
    judged: Judged, found: Detection, fingerprint: str, judge: Judge
) -> dict[str, object]:
    """The result of a row that is a detection."""
    rule, index = rule_of(found.smell)
    is_suppressed = judged.decision == "FP"
    result: dict[str, object] = {
        "ruleId": rule,
        "ruleIndex": index,
        "level": "note" if is_suppressed else level_of(found.smell),
        "message": {"text": _message(judged, found, judge)},
        "locations": [_location(judged, found)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        # 3.27.23: on all results of a run or on none
        "suppressions": [_suppression(judged, judge)] if is_suppressed else [],
        "properties": _properties(judged, found),
    }
    if judged.p_tp is not None:
        result["rank"] = round(100 * judged.p_tp, 4)
    return result


def plain_message(text: str) -> str:
    """A message in which nothing is a link or a placeholder (3.11.5, 3.11.6)."""
    for special in "\\[]":
        text = text.replace(special, f"\\{special}")
    return unicode(text.replace("{", "{{").replace("}", "}}"))


def unicode(text: str) -> str:
    """A text without half surrogates: bytes that are no UTF-8 have no place in JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def compact_json(value: object) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _message(judged: Judged, found: Detection, judge: Judge) -> str:
    title = "another smell" if found.smell is None else title_of(found.smell)
    said = (
        f"not judged: {judged.reason}"
        if judged.p_tp is None
        else f"p(TP) is {judged.p_tp:.4f}, the threshold {judge.threshold:.4f}"
    )
    return plain_message(f"{title[0].upper()}{title[1:]}. GLITCH reports {found.code}; {said}.")


def _suppression(judged: Judged, judge: Judge) -> dict[str, str]:
    why = (
        f"The model {judge.model} judges it a false alarm: p(TP) {judged.p_tp:.4f} is below the "
        f"threshold {judge.threshold:.4f}."
    )
    return {"kind": "external", "status": "accepted", "justification": unicode(why)}


def _location(judged: Judged, found: Detection) -> dict[str, object]:
    artifact = (
        {"uri": _uri(found.path)}
        if judged.file is None
        else {"uri": _uri(judged.file), "uriBaseId": ROOT}
    )
    physical: dict[str, object] = {"artifactLocation": artifact}
    if found.line >= 1:
        region = {"startLine": found.line, "endLine": found.line}
        physical["region"] = region | (_columns(judged.sample) if judged.sample else {})
    return {"physicalLocation": physical}


def _columns(sample: Sample) -> dict[str, object]:
    """The reported text inside its line, columns from 1, the last one exclusive (3.30)."""
    if not sample.content:
        return {}
    line = sample.with_context.split("\n")[sample.line - sample.detection_span[0]]
    first = line.index(sample.content) + 1
    columns: dict[str, object] = {"startColumn": first, "endColumn": first + len(sample.content)}
    if len(sample.content) <= LONGEST_SNIPPET:
        columns["snippet"] = {"text": sample.content}
    return columns


def _properties(judged: Judged, found: Detection) -> dict[str, object]:
    return {
        "code": unicode(found.code),
        "decision": judged.decision or "UNJUDGED",
        "p_tp": judged.p_tp,
        "reason": None if judged.reason is None else unicode(judged.reason),
        "reportRow": found.row,
    }


def _uri(path: str) -> str:
    """A path as a URI (RFC 3986): relative to the scripts' folder, or of scheme file."""
    quoted = quote(path.encode("utf-8", "surrogateescape"))
    return f"file://{quoted}" if path.startswith("/") else quoted
