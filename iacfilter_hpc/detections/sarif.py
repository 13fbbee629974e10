"""Write judged detections as a SARIF 2.1.0 log, one result a line, while they come in.

What is judged FP is a result with level note and a suppression, unless `omit_suppressed` leaves it
out. Viewers of SARIF hide such results. GitHub code scanning does not: it reads neither
`suppressions` nor `kind` and opens an alert for every result of a file (its list of supported
properties; github/codeql-action issue 1230). So a log for GitHub omits them, or is uploaded whole
and followed by the action advanced-security/dismiss-alerts, which reads `suppressions`.

A row that is no detection has no location, which GitHub refuses; it becomes a notification. GLITCH
reports a user or a password twice, under two codes of one smell: that is one result.

`partialFingerprints` has a hash of smell, file and reported line with its number of occurrence:
equal as long as the line is, wherever it moves. The one that GitHub uses,
`primaryLocationLineHash`, is left to its upload action, which computes it from the sources and
warns of any other value.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0 with Errata 01 (section numbers
below); docs.github.com, "SARIF support for code scanning".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from iacfilter_hpc import __version__
from iacfilter_hpc.detections.fingerprints import Occurrences, Place
from iacfilter_hpc.detections.glitch import BadRow, Detection
from iacfilter_hpc.detections.judged import Judged
from iacfilter_hpc.detections.sarif_results import (
    ROOT,
    Judge,
    compact_json,
    plain_message,
    result_of,
    unicode,
)
from iacfilter_hpc.detections.sarif_rules import rules

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
NOTIFICATIONS = 100

Write = Callable[[bytes], object]


@dataclass(slots=True)
class SarifLog:
    """A log that grows by `add`; between `begin` and `end` it is no JSON document yet.

    `results` and `suppressed` count what has been written.
    """

    write: Write
    judge: Judge
    omit_suppressed: bool = False
    results: int = 0
    suppressed: int = 0
    _places: Occurrences = field(default_factory=Occurrences)
    _notes: list[str] = field(default_factory=list)
    _bad_rows: int = 0

    def begin(self) -> None:
        """The tool and its rules."""
        driver = {"name": "iacfilter_hpc", "semanticVersion": __version__, "rules": rules()}
        glitch = {"name": "GLITCH", "informationUri": "https://github.com/sr-lab/GLITCH"}
        tool = {"driver": driver, "extensions": [glitch]}
        run = f'{{"tool":{compact_json(tool)},"results":['
        self.write(f'{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{run}'.encode())

    def add(self, judged: Iterable[Judged]) -> None:
        """The next rows."""
        for each in judged:
            found = each.row.found
            if isinstance(found, Detection):
                self._add(each, found)
            elif not each.row.is_blank:
                self._note(found)

    def end(self) -> None:
        """All that stands after the results."""
        rest = {
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {ROOT: {"description": {"text": "The scripts' folder."}}},
            "invocations": [
                {"executionSuccessful": True, "toolExecutionNotifications": self._notifications()}
            ],
            "properties": {
                "model": unicode(self.judge.model),
                "threshold": self.judge.threshold,
                "thresholdOrigin": unicode(self.judge.origin),
            },
        }
        self.write(f"\n],{compact_json(rest)[1:]}]}}\n".encode())

    def _add(self, judged: Judged, found: Detection) -> None:
        what = found.smell or found.code
        content = found.detail if judged.sample is None else judged.sample.content
        place = Place(judged.file or found.path, what, found.line, content)
        fingerprint = self._places.fingerprint(place)
        is_suppressed = judged.decision == "FP"
        if fingerprint is None or (is_suppressed and self.omit_suppressed):
            return
        self.write(b",\n" if self.results else b"\n")
        self.write(compact_json(result_of(judged, found, fingerprint, self.judge)).encode())
        self.results += 1
        self.suppressed += is_suppressed

    def _note(self, bad: BadRow) -> None:
        self._bad_rows += 1
        if self._bad_rows <= NOTIFICATIONS:
            self._notes.append(f"Row {bad.row} of the report was not judged: {bad.problem}.")

    def _notifications(self) -> list[dict[str, object]]:
        more = self._bad_rows - len(self._notes)
        texts = [*self._notes, *([f"{more} further rows were not judged."] if more else [])]
        return [{"level": "warning", "message": {"text": plain_message(text)}} for text in texts]
