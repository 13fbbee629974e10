"""SARIF 2.1.0 log of judged detections: rules, results, fingerprints; one result a line.

Rules follow from the table of smells. Source of their fields: OASIS SARIF 2.1.0, section 3.49;
`security-severity`, `help` and `tags` as GitHub code scanning reads them.

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

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from iacfilter_hpc import __version__
from iacfilter_hpc.errors import counted
from iacfilter_hpc.glitch.decisions import DecidedRow, Person
from iacfilter_hpc.glitch.report import BadRow, Detection
from iacfilter_hpc.samples.hashes import normalised
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.smells import (
    BY_NAME,
    COUNT_IN_WORDS,
    NAMES,
    SMELLS,
    Level,
    Smell,
    title_of,
)

REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """Reported line: `what` is reported in it, and `content` is its text."""

    file: str
    what: str
    line: int
    content: str


@dataclass(slots=True)
class _OfFile:
    """The places seen in one file, and how often each content of a smell was among them."""

    seen: set[tuple[str, int]] = field(default_factory=set)
    times: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Occurrences:
    """Counter of equal lines of a file, in the order of the report.

    GLITCH reports file after file; of the last 1024 files each is remembered.
    """

    _files: OrderedDict[str, _OfFile] = field(default_factory=OrderedDict)

    def fingerprint(self, reported: ReportedLine) -> str | None:
        """16 hex digits of smell, file and content, and which of its kind in the file this is.

        None for a place that has been here before.
        """
        file = self._files.setdefault(reported.file, _OfFile())
        self._files.move_to_end(reported.file)
        if len(self._files) > REMEMBERED:
            self._files.popitem(last=False)
        if (reported.what, reported.line) in file.seen:
            return None
        file.seen.add((reported.what, reported.line))
        # no line number, so that it stays the same when lines are added above; half surrogates (a
        # path that is no UTF-8) stand in JSON as escapes
        text = json.dumps([reported.what, reported.file, normalised(reported.content)])
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        file.times[digest] = file.times.get(digest, 0) + 1
        return f"{digest}:{file.times[digest]}"


OTHER_RULE = "other_smell"
"""Stands for every code of GLITCH that is none of our smells."""


def rule_of(smell: str | None) -> tuple[str, int]:
    """Id and index of the rule of a smell."""
    return (OTHER_RULE, len(NAMES)) if smell is None else (smell, NAMES.index(smell))


def level_of(smell: str | None) -> Level:
    """The level of a smell's rule."""
    return "note" if smell is None else BY_NAME[smell].level


def rules() -> list[dict[str, object]]:
    """Every rule, at the index that `rule_of` answers."""
    return [*map(_rule, SMELLS), _OTHER]


def _rule(smell: Smell) -> dict[str, object]:
    return {
        "id": smell.name,
        "name": "".join(word.capitalize() for word in smell.name.split("_")),
        "shortDescription": {"text": _sentence(smell.title)},
        "fullDescription": {"text": smell.meaning},
        "help": {"text": f"It is real where {smell.tp} It is a false alarm where {smell.fp}"},
        "helpUri": f"https://cwe.mitre.org/data/definitions/{smell.cwe}.html",
        "defaultConfiguration": {"level": smell.level},
        "properties": {
            "tags": ["security", f"external/cwe/cwe-{smell.cwe}"],
            # a string, as GitHub wants it: above 9.0 is critical, 7.0 to 8.9 high
            "security-severity": f"{smell.severity:.1f}",
        },
    }


_OTHER: dict[str, object] = {
    "id": OTHER_RULE,
    "name": "OtherSmell",
    "shortDescription": {"text": "Another smell that GLITCH reports"},
    "fullDescription": {
        "text": f"GLITCH reports a smell that is none of the {COUNT_IN_WORDS} security smells."
    },
    "help": {"text": "It is passed on as it is. The property code has GLITCH's own name for it."},
    "helpUri": "https://github.com/sr-lab/GLITCH",
    "defaultConfiguration": {"level": "note"},
    "properties": {"tags": ["glitch"]},
}


def _sentence(title: str) -> str:
    return title[0].upper() + title[1:]


# no absolute path: a log is the same on any machine, and GitHub looks in the repository
ROOT = "SRCROOT"
"""What paths below the scripts' folder are relative to."""
FINGERPRINT = "iacfilterDetection/v1"
LONGEST_SNIPPET = 1000


@dataclass(frozen=True, slots=True)
class DecidingModel:
    """Deciding model as a log names it: its name, and its threshold with its origin in words."""

    name: str
    threshold: float
    origin: str


def result_of(
    judged: DecidedRow, found: Detection, fingerprint: str, model: DecidingModel
) -> dict[str, object]:
    """The result of a row that is a detection."""
    rule, index = rule_of(found.smell)
    is_suppressed = judged.decision == "FP"
    result: dict[str, object] = {
        "ruleId": rule,
        "ruleIndex": index,
        # GitHub does not read suppressions: at least such an alert is not an error
        "level": "note" if is_suppressed else level_of(found.smell),
        "message": {"text": _message(judged, found, model)},
        "locations": [_location(judged, found)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        # 3.27.23: on all results of a run or on none
        "suppressions": [_suppression(judged, model)] if is_suppressed else [],
        "properties": _properties(judged, found),
    }
    if judged.p_tp is not None:
        result["rank"] = round(100 * judged.p_tp, 4)
    return result


def plain_message(text: str) -> str:
    """A message in which nothing is a link or a placeholder (3.11.5, 3.11.6)."""
    # the backslash first, which the others are escaped with
    for special in "\\[]":
        text = text.replace(special, f"\\{special}")
    return unicode(text.replace("{", "{{").replace("}", "}}"))


def unicode(text: str) -> str:
    """A text without half surrogates: bytes that are no UTF-8 have no place in JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def compact_json(value: object) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _message(judged: DecidedRow, found: Detection, model: DecidingModel) -> str:
    title = "another smell" if found.smell is None else title_of(found.smell)
    said = (
        f"not judged: {judged.reason.text}"
        if judged.reason is not None
        else f"a person judges it {judged.decision}"
        if judged.person is not None
        else f"p(TP) is {judged.p_tp:.4f}, the threshold {model.threshold:.4f}"
    )
    return plain_message(f"{title[0].upper()}{title[1:]}. GLITCH reports {found.code}; {said}.")


def _suppression(judged: DecidedRow, model: DecidingModel) -> dict[str, str]:
    if judged.person is not None:
        return _accepted(_said_by(judged.person))
    why = (
        f"The model {model.name} judges it a false alarm: p(TP) {judged.p_tp:.4f} is below the "
        f"threshold {model.threshold:.4f}."
    )
    return _accepted(why)


def _said_by(person: Person) -> str:
    """What a person has said, as the justification of a suppression (3.35.4)."""
    note = f": {person.note}" if person.note else "."
    return f"{person.name} judged it a false alarm on {person.at}{note}"


def _accepted(why: str) -> dict[str, str]:
    return {"kind": "external", "status": "accepted", "justification": unicode(why)}


def _location(judged: DecidedRow, found: Detection) -> dict[str, object]:
    artifact = (
        {"uri": _uri(found.path)}
        if judged.file is None
        else {"uri": _uri(judged.file), "uriBaseId": ROOT}
    )
    physical: dict[str, object] = {"artifactLocation": artifact}
    # lines of a region are positive (3.30.5); GLITCH writes -1 for what it cannot place
    if found.line >= 1:
        region = {"startLine": found.line, "endLine": found.line}
        physical["region"] = region | (_columns(judged.sample) if judged.sample else {})
    return {"physicalLocation": physical}


def _columns(sample: Sample) -> dict[str, object]:
    """The reported text inside its line, columns from 1, the last one exclusive (3.30)."""
    if not sample.content:
        return {}
    line = sample.with_context.split("\n")[sample.line - sample.detection_span[0]]
    # content is that line stripped, so it is found, after the indentation
    first = line.index(sample.content) + 1
    columns: dict[str, object] = {"startColumn": first, "endColumn": first + len(sample.content)}
    if len(sample.content) <= LONGEST_SNIPPET:
        columns["snippet"] = {"text": sample.content}
    return columns


def _properties(judged: DecidedRow, found: Detection) -> dict[str, object]:
    by_person = {} if judged.person is None else {"person": unicode(judged.person.name)}
    return {
        **by_person,
        "code": unicode(found.code),
        "decision": judged.decision or "UNJUDGED",
        "p_tp": judged.p_tp,
        "reason": None if judged.reason is None else unicode(judged.reason.text),
        "reportRow": found.row,
    }


def _uri(path: str) -> str:
    """A path as a URI (RFC 3986): relative to the scripts' folder, or of scheme file."""
    # of bytes: a name that is no UTF-8 is percent-encoded as it is on disk
    quoted = quote(path.encode("utf-8", "surrogateescape"))
    return f"file://{quoted}" if path.startswith("/") else quoted


SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
# they are kept until the end; a report of the wrong kind may have millions of bad rows
NOTIFICATIONS = 100

Write = Callable[[bytes], object]


@dataclass(slots=True)
class SarifLog:
    """SARIF log that grows by `add`; between `begin` and `end` it is no JSON document yet.

    `results` and `suppressed` count what has been written.
    """

    write: Write
    model: DecidingModel
    omit_suppressed: bool = False
    results: int = 0
    suppressed: int = 0
    _occurrences: Occurrences = field(default_factory=Occurrences)
    _notes: list[str] = field(default_factory=list)
    _bad_rows: int = 0

    def begin(self) -> None:
        """Write the tool and its rules, up to the first result."""
        driver = {"name": "iacfilter_hpc", "semanticVersion": __version__, "rules": rules()}
        glitch = {"name": "GLITCH", "informationUri": "https://github.com/sr-lab/GLITCH"}
        tool = {"driver": driver, "extensions": [glitch]}
        # written in pieces, as a log of all results need not fit in memory
        run = f'{{"tool":{compact_json(tool)},"results":['
        self.write(f'{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{run}'.encode())

    def add(self, judged: Iterable[DecidedRow]) -> None:
        """Write the results of the next rows."""
        for each in judged:
            found = each.row.found
            if isinstance(found, Detection):
                self._add(each, found)
            elif not each.row.is_blank:
                self._note(found)

    def end(self) -> None:
        """Write all that stands after the results."""
        # after the results, since bad rows are known only now; JSON objects have no order
        rest = {
            # Python counts code points, and readers of other languages UTF-16 units
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {ROOT: {"description": {"text": "The scripts' folder."}}},
            "invocations": [
                {"executionSuccessful": True, "toolExecutionNotifications": self._notifications()}
            ],
            "properties": {
                "model": unicode(self.model.name),
                "threshold": self.model.threshold,
                "thresholdOrigin": unicode(self.model.origin),
            },
        }
        self.write(f"\n],{compact_json(rest)[1:]}]}}\n".encode())

    def _add(self, judged: DecidedRow, found: Detection) -> None:
        # by smell, so that the two codes of a password are one result
        what = found.smell or found.code
        content = found.detail if judged.sample is None else judged.sample.content
        reported = ReportedLine(judged.file or found.path, what, found.line, content)
        fingerprint = self._occurrences.fingerprint(reported)
        is_suppressed = judged.decision == "FP"
        # asked for in any case: a result has its number whether suppressed ones are left out or not
        if fingerprint is None or (is_suppressed and self.omit_suppressed):
            return
        self.write(b",\n" if self.results else b"\n")
        self.write(compact_json(result_of(judged, found, fingerprint, self.model)).encode())
        self.results += 1
        self.suppressed += is_suppressed

    def _note(self, bad: BadRow) -> None:
        self._bad_rows += 1
        if self._bad_rows <= NOTIFICATIONS:
            self._notes.append(f"Row {bad.row} of the report was not judged: {bad.problem}.")

    def _notifications(self) -> list[dict[str, object]]:
        more = self._bad_rows - len(self._notes)
        rest = f"{counted(more, 'further row was', 'further rows were')} not judged."
        texts = [*self._notes, *([rest] if more else [])]
        return [{"level": "warning", "message": {"text": plain_message(text)}} for text in texts]
