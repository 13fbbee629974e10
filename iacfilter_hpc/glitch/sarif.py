"""SARIF 2.1.0 log of judged detections: rules, results, fingerprints; one result a row.

Rules are GLITCH's own, by its codes, and follow from the table of smells; a code that is not there
becomes a rule of its own when it is met. So nothing is merged: a log has as many results as it is
given rows, and three codes on one line are three results. Which rows it is given (all, new ones,
those of some smells, judged ones) is for its caller to say. Source of the rules' fields: OASIS
SARIF 2.1.0, section 3.49; `security-severity`, `help` and `tags` as GitHub code scanning reads
them. Weaknesses are tags, and a taxonomy that rules refer to (3.19.3).

What is judged FP is a result with level note and a suppression, unless `omit_suppressed` leaves it
out. Viewers of SARIF hide such results. GitHub code scanning does not: it reads neither
`suppressions` nor `kind` and opens an alert for every result of a file (its list of supported
properties; github/codeql-action issue 1230). So a log for GitHub omits them, or is uploaded whole
and followed by the action advanced-security/dismiss-alerts, which reads `suppressions`.

A row that is no detection has no location, which GitHub refuses; it becomes a notification.

`partialFingerprints` has a hash of code, file and reported line, and of what GLITCH says of this
row alone, with its number of occurrence: equal as long as the line is, wherever it moves, and
another one for each row. The one that GitHub uses, `primaryLocationLineHash`, is left to its upload
action, which computes it from the sources and warns of any other value.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0 with Errata 01 (section numbers
below); docs.github.com, "SARIF support for code scanning".
"""

from __future__ import annotations

import hashlib
import json
import re
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
from iacfilter_hpc.samples.smells import BY_NAME, RULES, SMELLS, Level, Rule, Smell, rule_of

REMEMBERED = 1024
GLITCH = "https://github.com/sr-lab/GLITCH"
CWE = "https://cwe.mitre.org/data/definitions"


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """Reported line: `what` is reported in it, and `content` is its text."""

    file: str
    what: str
    content: str


@dataclass(slots=True)
class Occurrences:
    """Counter of equal lines of a file, in the order of the report.

    GLITCH reports file after file; of the last 1024 files each is remembered.
    """

    _files: OrderedDict[str, dict[str, int]] = field(default_factory=OrderedDict)

    def fingerprint(self, reported: ReportedLine) -> str:
        """16 hex digits of what, file and content, and which of its kind in the file this is."""
        times = self._files.setdefault(reported.file, {})
        self._files.move_to_end(reported.file)
        if len(self._files) > REMEMBERED:
            self._files.popitem(last=False)
        # no line number, so that it stays the same when lines are added above; half surrogates (a
        # path that is no UTF-8) stand in JSON as escapes
        text = json.dumps([reported.what, reported.file, normalised(reported.content)])
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        times[digest] = times.get(digest, 0) + 1
        return f"{digest}:{times[digest]}"


@dataclass(slots=True)
class Rules:
    """Rules of a log: those of the table, and one for each other code that has been met.

    Of these 1000 at most, as a report may be hostile; results of further ones only name their rule.
    """

    _others: dict[str, int] = field(default_factory=dict)

    def index(self, found: Detection) -> int | None:
        """The index of a detection's rule; None for one that is not listed."""
        rule = rule_of_detection(found)
        if rule is not None:
            return INDEX[rule.id]
        if len(self._others) < OTHERS:
            self._others.setdefault(found.code, len(RULES) + len(self._others))
        return self._others.get(found.code)

    def document(self) -> list[dict[str, object]]:
        """Every rule, at its index."""
        listed = [_rule(smell, rule) for smell in SMELLS for rule in smell.rules]
        return [*listed, *map(_other_rule, self._others)]


OTHERS = 1000
INDEX = {rule.id: index for index, rule in enumerate(RULES)}
WEAKNESSES = sorted({number for rule in RULES for number in rule.cwe})


def rule_of_detection(found: Detection) -> Rule | None:
    """The rule of GLITCH that a detection is of; None for a code that is not in the table."""
    return None if found.smell is None else rule_of(found.smell, found.code)


def level_of(smell: str | None) -> Level:
    """The level of a smell's rules."""
    return "note" if smell is None else BY_NAME[smell].level


def _rule(smell: Smell, rule: Rule) -> dict[str, object]:
    # GitHub lists what is tagged so as alerts of security
    tags = ["security"] if rule.is_security else ["maintainability"]
    properties: dict[str, object] = {
        "tags": [*tags, *(f"external/cwe/cwe-{number}" for number in rule.cwe)],
        "smell": smell.name,
    }
    if smell.severity is not None:
        # a string, as GitHub wants it: above 9.0 is critical, 7.0 to 8.9 high
        properties["security-severity"] = f"{smell.severity:.1f}"
    return {
        "id": rule.id,
        "name": _pascal(rule.name),
        "shortDescription": {"text": f"{rule.name}."},
        "fullDescription": {"text": f"{rule.description} {smell.meaning}"},
        "help": {"text": f"It is real where {smell.tp} It is a false alarm where {smell.fp}"},
        "helpUri": f"{CWE}/{rule.cwe[0]}.html" if rule.cwe else GLITCH,
        "defaultConfiguration": {"level": smell.level},
        "relationships": [_relationship(number) for number in rule.cwe],
        "properties": properties,
    }


def _other_rule(code: str) -> dict[str, object]:
    """A rule that only the report names."""
    return {
        "id": unicode(code),
        "name": _pascal(unicode(code)),
        "shortDescription": {"text": plain_message(f"{code}, as GLITCH reports it.")},
        "fullDescription": {
            "text": plain_message(f"GLITCH reports {code}, which is none of the {len(RULES)} rules")
            + " that this version knows."
        },
        "help": {"text": "It is passed on as it is."},
        "helpUri": GLITCH,
        "defaultConfiguration": {"level": "note"},
        "properties": {"tags": ["glitch"]},
    }


def _relationship(number: int) -> dict[str, object]:
    # the weakness takes in more than the rule (3.53.3)
    target = {
        "id": str(number),
        "index": WEAKNESSES.index(number),
        "toolComponent": {"name": "CWE", "index": 0},
    }
    return {"target": target, "kinds": ["superset"]}


def _taxonomy() -> dict[str, object]:
    """The weaknesses that rules refer to (3.14.8)."""
    return {
        "name": "CWE",
        "organization": "MITRE",
        "shortDescription": {"text": "Common Weakness Enumeration."},
        "informationUri": "https://cwe.mitre.org/",
        "isComprehensive": False,
        "taxa": [{"id": str(number), "helpUri": f"{CWE}/{number}.html"} for number in WEAKNESSES],
    }


def _pascal(words: str) -> str:
    return "".join(word.capitalize() for word in re.findall(r"[^\W_]+", words))


# no absolute path: a log is the same on any machine, and GitHub looks in the repository
ROOT = "SRCROOT"
"""What paths below the scripts' folder are relative to."""
FINGERPRINT = "iacfilterDetection/v2"
LONGEST_SNIPPET = 1000


@dataclass(frozen=True, slots=True)
class DecidingModel:
    """Deciding model as a log names it: its name, and its threshold with its origin in words."""

    name: str
    threshold: float
    origin: str


def result_of(
    judged: DecidedRow,
    found: Detection,
    fingerprint: str,
    model: DecidingModel,
    index: int | None,
) -> dict[str, object]:
    """The result of a row that is a detection; `index` is that of its rule, None if not listed."""
    rule = rule_of_detection(found)
    is_suppressed = judged.decision == "FP"
    result: dict[str, object] = {
        "ruleId": unicode(found.code) if rule is None else rule.id,
        # GitHub does not read suppressions: at least such an alert is not an error
        "level": "note" if is_suppressed else level_of(found.smell),
        "message": {"text": _message(judged, found, model)},
        "locations": [_location(judged, found)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        # 3.27.23: on all results of a run or on none
        "suppressions": [_suppression(judged, model)] if is_suppressed else [],
        "properties": _properties(judged, found),
    }
    if index is not None:
        result["ruleIndex"] = index
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
    said = (
        f"Not judged: {judged.reason.text}"
        if judged.reason is not None
        else f"a person judges it {judged.decision}"
        if judged.person is not None
        else f"p(TP) is {judged.p_tp:.4f}, the threshold {model.threshold:.4f}"
    )
    return plain_message(f"{_words_of(found)} {said}.")


def _words_of(found: Detection) -> str:
    """What GLITCH says: the rule, and of this row what the rule does not say."""
    rule = rule_of_detection(found)
    own = _own_words(found)
    if rule is None:
        return f"{found.code}: {own}" if own else f"{found.code}, as GLITCH reports it."
    return f"{rule.name}: {own or rule.description}"


def _own_words(found: Detection) -> str:
    """GLITCH's description of a row, cut to a length for people; empty if it is the rule's."""
    rule, said = rule_of_detection(found), found.description
    if rule is not None and said.startswith(f"{rule.name} - "):
        return ""
    return said if len(said) <= LONGEST_SNIPPET else f"{said[:LONGEST_SNIPPET]}..."


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
        "smell": found.smell,
        "description": unicode(found.description[:LONGEST_SNIPPET]) or None,
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
GLITCH_ITSELF = {"name": "GLITCH", "informationUri": GLITCH}
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
    _rules: Rules = field(default_factory=Rules)
    _notes: list[str] = field(default_factory=list)
    _bad_rows: int = 0

    def begin(self) -> None:
        """Write all that stands before the first result."""
        # written in pieces, as a log of all results need not fit in memory
        self.write(f'{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{{"results":['.encode())

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
        # after the results, since codes and bad rows are known only now; JSON objects have no order
        rest = {
            "tool": {"driver": self._driver(), "extensions": [GLITCH_ITSELF]},
            "taxonomies": [_taxonomy()],
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

    def _driver(self) -> dict[str, object]:
        return {
            "name": "iacfilter_hpc",
            "semanticVersion": __version__,
            # there is no page of this tool; what its rules mean stands there
            "informationUri": GLITCH,
            "supportedTaxonomies": [{"name": "CWE", "index": 0}],
            "rules": self._rules.document(),
        }

    def _add(self, judged: DecidedRow, found: Detection) -> None:
        rule = rule_of_detection(found)
        what = found.code if rule is None else rule.id
        own = _own_words(found)
        content = found.detail if judged.sample is None else judged.sample.content
        # two suggestions on one line are told apart by their words, not by their order
        reported = ReportedLine(judged.file or found.path, f"{what} {own}".rstrip(), content)
        # asked for in any case: a result has its number whether suppressed ones are left out or not
        fingerprint = self._occurrences.fingerprint(reported)
        is_suppressed = judged.decision == "FP"
        if is_suppressed and self.omit_suppressed:
            return
        result = result_of(judged, found, fingerprint, self.model, self._rules.index(found))
        self.write(b",\n" if self.results else b"\n")
        self.write(compact_json(result).encode())
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
