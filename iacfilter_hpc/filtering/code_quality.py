"""Code quality report of GitLab: its findings as one JSON array, one object a line.

Source: docs.gitlab.com/ci/testing/code_quality, "Code Quality report format": description,
check_name, fingerprint, location.path and location.lines.begin, severity (info, minor, major,
critical or blocker). GitLab takes two objects of one fingerprint for one, so it has a number of its
own where equal lines repeat; it has no line number, so that it stays as lines are added above.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.report import Detection
from iacfilter_hpc.samples.smells import BY_NAME, Level, title_of

SEVERITIES: dict[Level, str] = {"error": "critical", "warning": "major", "note": "minor"}

Write = Callable[[bytes], object]


@dataclass(slots=True)
class CodeQualityReport:
    """Code quality report that grows by `add`, which takes findings alone."""

    write: Write
    _begun: bool = False
    _times: Counter[bytes] = field(default_factory=Counter)

    def begin(self) -> None:
        """Write what stands before the first finding."""
        self.write(b"[")

    def add(self, findings: Iterable[DecidedRow]) -> None:
        """Write the next findings; a row that is no detection has no place, and is left out."""
        for each in findings:
            if isinstance(each.row.found, Detection):
                text = json.dumps(self._issue(each, each.row.found), separators=(",", ":"))
                self.write((",\n" if self._begun else "\n").encode() + text.encode())
                self._begun = True

    def end(self) -> None:
        """Write what stands after the last finding."""
        self.write(b"\n]\n")

    def _issue(self, judged: DecidedRow, found: Detection) -> dict[str, object]:
        path = _text(judged.file or found.path)
        smell = BY_NAME.get(found.smell or "")
        return {
            # neither GLITCH's words nor the line: both may hold the password that is reported
            "description": f"{_title(found)}{_certainty(judged)}",
            "check_name": _text(found.smell or found.code),
            "fingerprint": self._fingerprint(judged, found, path),
            "severity": SEVERITIES[smell.level if smell else "note"],
            "location": {"path": path, "lines": {"begin": max(found.line, 1)}},
        }

    def _fingerprint(self, judged: DecidedRow, found: Detection, path: str) -> str:
        content = found.detail if judged.sample is None else judged.sample.content
        words = json.dumps([found.code, path, " ".join(content.split())])
        digest = hashlib.sha256(words.encode()).digest()[:16]
        self._times[digest] += 1
        return f"{digest.hex()}{self._times[digest] - 1:08x}"


def _title(found: Detection) -> str:
    title = _text(found.code) if found.smell is None else title_of(found.smell)
    return title[0].upper() + title[1:]


def _certainty(judged: DecidedRow) -> str:
    if judged.decision is None:
        return " (not judged)"
    # a person's decision has none
    return "" if judged.p_tp is None else f" (p(TP) {judged.p_tp:.2f})"


def _text(path: str) -> str:
    """A text without half surrogates, which JSON has no place for."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
