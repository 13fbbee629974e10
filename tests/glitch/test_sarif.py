"""iacfilter_hpc.glitch.sarif: a log that the standard's own schema takes, whatever comes in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.sarif import NOTIFICATIONS, SCHEMA, DecidingModel, SarifLog, rules
from iacfilter_hpc.samples.smells import NAMES, SMELLS
from tests.glitch.made_decisions import FILES, ROWS, THRESHOLD, judge, write_all

SCHEMA_FILE = Path(__file__).parents[1] / "sarif" / "sarif-schema-2.1.0.json"
VALIDATOR = Draft4Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
BY = DecidingModel("a model [1]", THRESHOLD, "as asked")


def log_of(
    judged: Iterable[DecidedRow], *, omit_suppressed: bool = False
) -> tuple[dict[str, Any], SarifLog]:
    """What is written, once the schema has taken it."""
    parts: list[bytes] = []
    log = SarifLog(parts.append, BY, omit_suppressed)
    log.begin()
    for each in judged:
        log.add([each])
    log.end()
    document = json.loads(b"".join(parts))
    problems = [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(document)]
    assert not problems
    return document, log


@pytest.fixture
def run(tmp_path: Path) -> dict[str, Any]:
    document, _ = log_of(judge(*write_all(tmp_path)))
    return one_run(document)


def one_run(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = document["runs"]
    assert isinstance(found, dict)
    return found


def region_of(result: dict[str, Any]) -> dict[str, Any]:
    (location,) = result["locations"]
    region = location["physicalLocation"].get("region", {})
    assert isinstance(region, dict)
    return region


def uri_of(result: dict[str, Any]) -> str:
    return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def test_the_schema_is_the_standards_own() -> None:
    content = SCHEMA_FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() in SCHEMA_FILE.with_name("NOTICE.md").read_text()
    assert json.loads(content)["id"] == SCHEMA
    Draft4Validator.check_schema(VALIDATOR.schema)
    assert list(VALIDATOR.iter_errors({"version": "2.1.0", "runs": [{"results": []}]}))


def test_what_is_judged_fp_is_suppressed_and_the_rest_is_shown(run: dict[str, Any]) -> None:
    results = run["results"]
    marks = [(r["ruleId"], r["properties"]["decision"], len(r["suppressions"])) for r in results]
    assert marks[:6] == [
        ("use_of_http", "TP", 0),
        ("hard_coded_secret", "FP", 1),
        ("suspicious_comment", "TP", 0),
        ("use_of_http", "FP", 1),
        ("suspicious_comment", "FP", 1),
        ("use_of_http", "TP", 0),
    ]
    assert {mark[1:] for mark in marks[6:]} == {("UNJUDGED", 0)}
    assert [r["level"] for r in results] == (
        ["warning", "note", "warning", "note", "note", *["warning"] * 5, "note"]
    )
    (suppression,) = results[1]["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == (
        "The model a model [1] judges it a false alarm: p(TP) 0.2000 is below the threshold 0.5000."
    )
    assert [r["rank"] for r in results[:2]] == [90, 20] and "rank" not in results[-1]
    assert results[6]["properties"]["reason"] == "file is missing"


def test_suppressed_results_can_be_omitted(tmp_path: Path) -> None:
    judged = judge(*write_all(tmp_path))
    everything, log = log_of(judged)
    shown, short = log_of(judged, omit_suppressed=True)
    assert (log.results, log.suppressed) == (11, 3)
    assert (short.results, short.suppressed) == (8, 0)
    assert one_run(shown)["results"] == [
        r for r in one_run(everything)["results"] if not r["suppressions"]
    ]


def test_a_region_is_the_reported_text_in_its_line(run: dict[str, Any]) -> None:
    assert run["columnKind"] == "unicodeCodePoints"
    for result in run["results"][:6]:
        content = FILES[unquote(uri_of(result))]
        text = content.decode("latin-1" if b"\xfc" in content else "utf-8")
        region = region_of(result)
        line = text.splitlines()[region["startLine"] - 1]
        assert region["endLine"] == region["startLine"]
        cut = line[region["startColumn"] - 1 : region["endColumn"] - 1]
        assert cut == region["snippet"]["text"] == line.strip() != ""
    unjudged = [region_of(result) for result in run["results"][6:9]]
    assert unjudged == [{"startLine": 3, "endLine": 3}, {"startLine": 99, "endLine": 99}, {}]


def test_paths_are_relative_uris_below_the_scripts(run: dict[str, Any]) -> None:
    results = run["results"]
    assert uri_of(results[4]) == "cookbooks/a%20b/caf%C3%A9%3A1.rb"
    for result in results:
        artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
        is_outside = artifact["uri"] == "file:///etc/hosts.yml"
        assert (artifact.get("uriBaseId") is None) is is_outside
        assert urlsplit(artifact["uri"]).scheme == ("file" if is_outside else "")
    assert set(run["originalUriBaseIds"]) == {"SRCROOT"}
    assert "uri" not in run["originalUriBaseIds"]["SRCROOT"], "no path of a machine"


def test_messages_hold_neither_links_nor_placeholders(run: dict[str, Any]) -> None:
    texts = [result["message"]["text"] for result in run["results"]]
    assert (
        texts[0] == "Use of HTTP. GLITCH reports sec_https; p(TP) is 0.9000, the threshold 0.5000."
    )
    assert texts[8] == "Use of HTTP. GLITCH reports sec_https; not judged: line is -1."
    assert texts[10].startswith("Another smell. GLITCH reports design_long_statement; not judged: ")


def test_odd_words_in_a_message_are_escaped(tmp_path: Path) -> None:
    report, scripts = write_all(tmp_path, "PATH,LINE,ERROR\nwork/a.yml,1,see [x](y) {0} \\\n")
    document, _ = log_of(judge(report, scripts))
    (result,) = one_run(document)["results"]
    assert "reports see \\[x\\](y) {{0}} \\\\;" in result["message"]["text"]
    assert result["properties"]["code"] == "see [x](y) {0} \\"


def test_a_double_report_is_one_result_and_a_repeated_line_two(run: dict[str, Any]) -> None:
    codes = [result["properties"]["code"] for result in run["results"]]
    assert codes.count("sec_hard_secr") == 1 and "sec_hard_pass" not in codes
    prints = [r["partialFingerprints"]["iacfilterDetection/v1"] for r in run["results"]]
    assert len(set(prints)) == len(prints)
    http = [p.partition(":") for p in (prints[0], prints[3])]
    assert http[0][0] == http[1][0]
    assert (http[0][2], http[1][2]) == ("1", "2")


@pytest.mark.parametrize(
    ("more", "said"),
    [(50, "51 further rows were not judged."), (0, "1 further row was not judged.")],
)
def test_rows_that_are_no_detection_are_notifications(tmp_path: Path, more: int, said: str) -> None:
    """They have no location, which GitHub refuses."""
    bad = "x\n" * (NOTIFICATIONS + more)
    document, log = log_of(judge(*write_all(tmp_path, f"{ROWS}\n{bad}")))
    (invocation,) = one_run(document)["invocations"]
    notes = invocation["toolExecutionNotifications"]
    assert len(notes) == NOTIFICATIONS + 1 and log.results == 11
    assert notes[0]["message"]["text"] == (
        "Row 13 of the report was not judged: not PATH,LINE,CODE,REPR."
    )
    assert notes[-1]["message"]["text"] == said


def test_a_report_without_rows_is_a_log_without_results(tmp_path: Path) -> None:
    document, log = log_of(judge(*write_all(tmp_path, "PATH,LINE,ERROR\n")))
    assert (one_run(document)["results"], log.results) == ([], 0)


def test_rules_say_what_github_shows() -> None:
    found = rules()
    assert [rule["id"] for rule in found] == [*NAMES, "other_smell"]
    assert tuple(smell.name for smell in SMELLS) == NAMES
    for rule in found:
        # the limits of docs.github.com, SARIF support for code scanning
        assert len(rule["shortDescription"]["text"]) <= 1024  # type: ignore[index]
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024  # type: ignore[index]
        assert rule["help"]["text"].endswith(".")  # type: ignore[index]
        assert len(rule["properties"]["tags"]) <= 10  # type: ignore[index]
    levels = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in found}  # type: ignore[index]
    for smell in SMELLS:
        assert levels[smell.name] == smell.level and 0 < smell.severity < 10
        # "over 9.0 is critical, from 7.0 to 8.9 is high": only these are errors
        assert (smell.level == "error") is (smell.severity >= 7)


@given(
    path=st.text(min_size=1, max_size=8),
    tail=st.binary(max_size=30),
    line=st.integers(-2, 3),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_stands_in_a_report_the_log_is_valid(
    tmp_path: Path, path: str, tail: bytes, line: int
) -> None:
    raw = path.encode("utf-8", "replace") + f",{line},sec_https,".encode() + tail
    good = ROWS.splitlines()[0].encode()
    document, log = log_of(
        judge(*write_all(tmp_path, good + b"\n" + raw + b"\n" + good), [0.9] * 9)
    )
    for result in one_run(document)["results"]:
        assert uri_of(result).isascii() and " " not in uri_of(result)
    assert log.results >= 1
