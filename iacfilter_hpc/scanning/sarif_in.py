"""SARIF of other tools as a report in GLITCH's form: one row a finding, in their order.

What a rule is about is told by the table below: by its CWE, its id or its tool. A finding that the
table does not know keeps its tool's rule as its code, which no model judges, and so it passes.
What is no open finding makes no row: a result of kind pass, one that its tool has suppressed, one
that is marked as gone.
Source: OASIS SARIF 2.1.0, section 3.27 (results), 3.49 (rules), 3.52 (taxa).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.runs.validation_errors import problems_in

HEADER = "PATH,LINE,ERROR,DESCRIPTION,CODE"
LONGEST = 1000
"""Characters of a message or a line that go into a row."""
LONGEST_CODE = 100
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A rule of GLITCH, and which findings of other tools are about the same: by CWE, rule or tool.

    A CWE is there only where it means nothing wider than the rule: 284 is any access that should
    not be, 311 any lack of encryption, and a model knows neither.
    """

    code: str
    cwes: tuple[int, ...] = ()
    rules: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


MEANINGS = (
    Meaning(
        code="sec_hard_secr",
        cwes=(259, 321, 798),
        tools=("gitleaks", "trufflehog", "detect-secrets"),
    ),
    Meaning(code="sec_susp_comm", cwes=(546,)),
    Meaning(code="sec_weak_crypt", cwes=(326, 327, 328)),
    # of Checkov: plain addresses that Ansible's modules uri, get_url and yum fetch from
    Meaning(
        code="sec_https",
        cwes=(319,),
        rules=("CKV2_ANSIBLE_1", "CKV2_ANSIBLE_2"),
    ),
    Meaning(code="sec_def_admin", cwes=(250,)),
    Meaning(code="sec_empty_pass", cwes=(258,)),
    Meaning(code="sec_invalid_bind", cwes=(1327,)),
    Meaning(code="sec_no_int_check", cwes=(353, 494)),
    Meaning(code="sec_no_default_switch", cwes=(478,)),
)
_BY_CWE = {cwe: meaning.code for meaning in MEANINGS for cwe in meaning.cwes}
_BY_RULE = {rule: meaning.code for meaning in MEANINGS for rule in meaning.rules}
_BY_TOOL = {tool: meaning.code for meaning in MEANINGS for tool in meaning.tools}
CWE = re.compile(r"\bcwe[-_/: ]{0,2}0*([0-9]{1,5})\b", re.IGNORECASE)
NO_PLACE = "no-location"
"""Path of a finding that names no file: there is none of it, so it passes."""


class _Part(BaseModel):
    """Part of a log: the fields that are read here, and no others."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class _Text(_Part):
    text: str = ""


class _Component(_Part):
    name: str = ""
    index: int | None = None


class _Taxon(_Part):
    id: str = ""
    tool_component: _Component = _Component()


class _Relation(_Part):
    target: _Taxon = _Taxon()


class _Properties(_Part):
    # tools write a text, a list or an object
    tags: object = ""
    cwe: object = ""

    @property
    def text(self) -> str:
        return f"{self.tags} {self.cwe}"


class _Rule(_Part):
    id: str
    short_description: _Text = _Text()
    properties: _Properties = _Properties()
    relationships: tuple[_Relation, ...] = ()


class _Tool(_Part):
    name: str
    rules: tuple[_Rule, ...] = ()


class _Tools(_Part):
    driver: _Tool
    extensions: tuple[_Tool, ...] = ()


class _Region(_Part):
    start_line: int | None = None
    snippet: _Text = _Text()


class _Artifact(_Part):
    uri: str = ""


class _Physical(_Part):
    artifact_location: _Artifact = _Artifact()
    region: _Region = _Region()


class _Location(_Part):
    physical_location: _Physical = _Physical()


class _Reference(_Part):
    id: str | None = None
    index: int | None = None
    tool_component: _Component = _Component()


class _Suppression(_Part):
    status: str = "accepted"


class _Result(_Part):
    rule_id: str | None = None
    rule_index: int | None = None
    rule: _Reference = _Reference()
    kind: str = "fail"
    baseline_state: str | None = None
    message: _Text = _Text()
    locations: tuple[_Location, ...] = ()
    taxa: tuple[_Taxon, ...] = ()
    suppressions: tuple[_Suppression, ...] | None = None
    properties: _Properties = _Properties()

    @property
    def is_open(self) -> bool:
        """Whether it is a finding that nobody has dealt with yet."""
        # 3.35.3: a suppression whose status is under review or rejected suppresses nothing
        suppressed = any(each.status == "accepted" for each in self.suppressions or ())
        is_none = self.kind in ("pass", "notApplicable") or self.baseline_state == "absent"
        return not suppressed and not is_none


class _Run(_Part):
    tool: _Tools
    results: tuple[_Result, ...] | None = None


class _Log(_Part):
    version: str
    runs: tuple[_Run, ...] = Field(default=())


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Report made of a log: rows, how many of them are of known smells, results that made none."""

    report: Path
    rows: int
    known: int
    closed: int


@contextmanager
def report_of_sarif(log: Path) -> Iterator[TakenIn]:
    """The findings of a SARIF log as a report, which is there until the block ends.

    Raises:
        DataError: the file cannot be read, or is no SARIF log.
    """
    runs = _read(log).runs
    results = [(run, result) for run in runs for result in run.results or ()]
    rows = [_row(run, result) for run, result in results if result.is_open]
    with TemporaryDirectory(prefix="iacfilter-sarif-") as folder:
        report = Path(folder, "report.csv")
        text = "".join(f"{line}\n" for line in [HEADER, *(row.text for row in rows)])
        report.write_bytes(text.encode("utf-8", "surrogateescape"))
        known = sum(row.is_known for row in rows)
        yield TakenIn(report, len(rows), known, len(results) - len(rows))


def code_of(tool: str, rule: str, cwes: frozenset[int]) -> str | None:
    """GLITCH's rule for what a rule of a tool is about; None where the table knows none, or two."""
    named = _BY_RULE.get(rule) or _BY_TOOL.get(tool.casefold())
    codes = {_BY_CWE[cwe] for cwe in cwes & _BY_CWE.keys()}
    return named or (codes.pop() if len(codes) == 1 else None)


@dataclass(frozen=True, slots=True)
class _Made:
    """Row made of a result."""

    text: str
    is_known: bool


def _row(run: _Run, result: _Result) -> _Made:
    tool = run.tool.driver.name
    rule = _rule_of(run.tool, result)
    name = result.rule_id or result.rule.id or (rule.id if rule else "no-rule")
    cwes = _cwes(rule, result)
    known = code_of(tool, name, cwes)
    weakness = "".join(f" (CWE-{cwe})" for cwe in sorted(cwes)[:1])
    said = result.message.text or (rule.short_description.text if rule else "")
    place = result.locations[0].physical_location if result.locations else _Physical()
    words = [
        _path(place.artifact_location.uri),
        str(place.region.start_line or -1),
        known or f"sarif_{_slug(f'{tool} {name}')}",
        _plain(f"{tool} {name} - {said}").replace(",", ";") + weakness,
        _plain(place.region.snippet.text.strip().partition("\n")[0]),
    ]
    return _Made(",".join(words), known is not None)


def _rule_of(tools: _Tools, result: _Result) -> _Rule | None:
    """The rule that a result names, by its place or by its id (3.52.4)."""
    index = result.rule_index if result.rule_index is not None else result.rule.index
    extension = result.rule.tool_component.index
    components = (tools.driver, *tools.extensions)
    tool = tools.driver if extension is None else next(iter(tools.extensions[extension:]), None)
    if tool and index is not None and 0 <= index < len(tool.rules):
        return tool.rules[index]
    named = result.rule_id or result.rule.id
    return next((rule for each in components for rule in each.rules if rule.id == named), None)


def _cwes(rule: _Rule | None, result: _Result) -> frozenset[int]:
    """The CWEs that a result or its rule names."""
    texts = [result.properties.text, *map(_taxon, result.taxa), result.rule_id or ""]
    if rule is not None:
        targets = (relation.target for relation in rule.relationships)
        texts += [rule.properties.text, *map(_taxon, targets), rule.id]
    return frozenset(int(match[1]) for text in texts for match in CWE.finditer(text))


def _taxon(taxon: _Taxon) -> str:
    # the taxonomy's name stands apart from the number, which may also be written CWE-798
    named = taxon.tool_component.name
    return f"{named}-{taxon.id}" if taxon.id.isdigit() else taxon.id


def _path(uri: str) -> str:
    """The path of a URI: below the scripts' folder, or of scheme file."""
    parts = urlsplit(uri)
    # a Windows drive or another scheme leads to no file here, and so the finding passes
    path = parts.path if parts.scheme in ("", "file") else uri
    return _plain(unquote(path, errors="surrogateescape")) or NO_PLACE


def _slug(name: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", name.lower()[:LONGEST_CODE])) or "no_rule"


def _plain(text: str) -> str:
    """One line of a text, of bounded length."""
    shown = "".join(c if c.isprintable() or "\udc80" <= c <= "\udcff" else " " for c in text)
    return shown[:LONGEST].strip()


def _read(path: Path) -> _Log:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return _Log.model_validate_json(content.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        problems = problems_in(error, "the file")
        wrong = [f"{path}: {problem}" for problem in problems[:SHOWN]]
        raise DataError(
            "\n".join([f"{path} is no SARIF log", *wrong]),
            hint="it is one JSON document with version and runs, of SARIF 2.1.0",
        ) from error
