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
from iacfilter_hpc.glitch.report import Detection
from iacfilter_hpc.glitch.sarif import (
    INDEX,
    NOTIFICATIONS,
    OTHERS,
    SCHEMA,
    DecidingModel,
    Rules,
    SarifLog,
)
from iacfilter_hpc.samples.smells import RULES, SMELLS
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
    assert marks[:7] == [
        ("sec_https", "TP", 0),
        ("sec_hard_secr", "FP", 1),
        ("sec_hard_pass", "FP", 1),
        ("sec_susp_comm", "TP", 0),
        ("sec_https", "FP", 1),
        ("sec_susp_comm", "FP", 1),
        ("sec_https", "TP", 0),
    ]
    assert {mark[1:] for mark in marks[7:]} == {("UNJUDGED", 0)}
    assert [r["level"] for r in results] == (
        ["warning", "note", "note", "warning", "note", "note", *["warning"] * 5, "note"]
    )
    (suppression,) = results[1]["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == (
        "The model a model [1] judges it a false alarm: p(TP) 0.2000 is below the threshold 0.5000."
    )
    assert [r["rank"] for r in results[:2]] == [90, 20] and "rank" not in results[-1]
    assert results[7]["properties"]["reason"] == "file is missing"


def test_suppressed_results_can_be_omitted(tmp_path: Path) -> None:
    judged = judge(*write_all(tmp_path))
    everything, log = log_of(judged)
    shown, short = log_of(judged, omit_suppressed=True)
    assert (log.results, log.suppressed) == (12, 4)
    assert (short.results, short.suppressed) == (8, 0)
    assert one_run(shown)["results"] == [
        r for r in one_run(everything)["results"] if not r["suppressions"]
    ]


def test_a_region_is_the_reported_text_in_its_line(run: dict[str, Any]) -> None:
    assert run["columnKind"] == "unicodeCodePoints"
    for result in run["results"][:7]:
        content = FILES[unquote(uri_of(result))]
        text = content.decode("latin-1" if b"\xfc" in content else "utf-8")
        region = region_of(result)
        line = text.splitlines()[region["startLine"] - 1]
        assert region["endLine"] == region["startLine"]
        cut = line[region["startColumn"] - 1 : region["endColumn"] - 1]
        assert cut == region["snippet"]["text"] == line.strip() != ""
    unjudged = [region_of(result) for result in run["results"][7:10]]
    assert unjudged == [{"startLine": 3, "endLine": 3}, {"startLine": 99, "endLine": 99}, {}]


def test_paths_are_relative_uris_below_the_scripts(run: dict[str, Any]) -> None:
    results = run["results"]
    assert uri_of(results[5]) == "cookbooks/a%20b/caf%C3%A9%3A1.rb"
    for result in results:
        artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
        is_outside = artifact["uri"] == "file:///etc/hosts.yml"
        assert (artifact.get("uriBaseId") is None) is is_outside
        assert urlsplit(artifact["uri"]).scheme == ("file" if is_outside else "")
    assert set(run["originalUriBaseIds"]) == {"SRCROOT"}
    assert "uri" not in run["originalUriBaseIds"]["SRCROOT"], "no path of a machine"


def test_messages_hold_neither_links_nor_placeholders(run: dict[str, Any]) -> None:
    texts = [result["message"]["text"] for result in run["results"]]
    https = "Use of HTTP without TLS: The developers should always favor the usage of HTTPS."
    assert texts[0] == f"{https} p(TP) is 0.9000, the threshold 0.5000."
    assert texts[9] == f"{https} Not judged: line is -1."
    assert texts[11].startswith("design_long_statement, as GLITCH reports it. Not judged: code ")


def test_odd_words_in_a_message_are_escaped(tmp_path: Path) -> None:
    report, scripts = write_all(tmp_path, "PATH,LINE,ERROR\nwork/a.yml,1,see [x](y) {0} \\\n")
    document, _ = log_of(judge(report, scripts))
    (result,) = one_run(document)["results"]
    assert result["message"]["text"].startswith("see \\[x\\](y) {{0}} \\\\, as GLITCH")
    assert result["properties"]["code"] == "see [x](y) {0} \\"


def test_every_row_is_a_result_of_its_own(run: dict[str, Any]) -> None:
    """GLITCH writes a password under two codes, and a line may stand twice."""
    codes = [result["properties"]["code"] for result in run["results"]]
    assert codes.count("sec_hard_secr") == codes.count("sec_hard_pass") == 1
    prints = prints_of(run)
    assert len(set(prints)) == len(prints) == 12
    http = [p.partition(":") for p in (prints[0], prints[4])]
    assert http[0][0] == http[1][0]
    assert (http[0][2], http[1][2]) == ("1", "2")


def prints_of(run: dict[str, Any]) -> list[str]:
    return [r["partialFingerprints"]["iacfilterDetection/v2"] for r in run["results"]]


SUGGESTIONS = """\
PATH,LINE,ERROR,DESCRIPTION,CODE
work/db.tf,1,sec_logging,Suggestion: check for a required flag 'log_temp_files'.,db aws_db
work/db.tf,1,sec_logging,Suggestion: check for additional log type(s) ['a', 'b'].,db aws_db
work/db.tf,1,sec_logging,-,db aws_db
work/db.tf,1,sec_logging,-,db aws_db
"""


def test_what_glitch_says_of_a_row_is_its_message(tmp_path: Path) -> None:
    """Suggestions on one line are told apart by their words, not by their order."""
    rows = SUGGESTIONS.splitlines(keepends=True)
    found = one_run(log_of(judge(*write_all(tmp_path, SUGGESTIONS)))[0])
    texts = [result["message"]["text"].partition(" Not judged")[0] for result in found["results"]]
    assert texts == [
        "Logging: Suggestion: check for a required flag 'log_temp_files'.",
        "Logging: Suggestion: check for additional log type(s) \\['a', 'b'\\].",
        *["Logging: Logs should be written, kept and protected."] * 2,
    ]
    assert len(set(prints_of(found))) == 4
    swapped = "".join([rows[0], rows[2], rows[1], *rows[3:]])
    again = one_run(log_of(judge(*write_all(tmp_path, swapped)))[0])
    first, second, *rest = prints_of(found)
    assert prints_of(again) == [second, first, *rest]
    assert found["results"][0]["properties"]["description"].startswith("Suggestion: check")
    assert found["results"][2]["properties"]["description"] is None


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
    assert len(notes) == NOTIFICATIONS + 1 and log.results == 12
    assert notes[0]["message"]["text"] == (
        "Row 13 of the report was not judged: not PATH,LINE,CODE,REPR."
    )
    assert notes[-1]["message"]["text"] == said


def test_a_report_without_rows_is_a_log_without_results(tmp_path: Path) -> None:
    document, log = log_of(judge(*write_all(tmp_path, "PATH,LINE,ERROR\n")))
    assert (one_run(document)["results"], log.results) == ([], 0)


def test_rules_say_what_github_shows(run: dict[str, Any]) -> None:
    driver = run["tool"]["driver"]
    found = driver["rules"]
    assert [rule["id"] for rule in found] == [*INDEX, "design_long_statement"]
    assert len(INDEX) == len(RULES) == 43
    for rule in found:
        # the limits of docs.github.com, SARIF support for code scanning
        assert len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"].endswith(".")
        assert len(rule["properties"]["tags"]) <= 10
    assert found[-1]["fullDescription"]["text"] == (
        "GLITCH reports design_long_statement, which is none of the 43 rules that this version "
        "knows."
    )
    for result in run["results"]:
        assert found[result["ruleIndex"]]["id"] == result["ruleId"]
    assert driver["informationUri"].startswith("https://")


def test_weaknesses_are_tags_and_a_taxonomy(run: dict[str, Any]) -> None:
    (taxonomy,) = run["taxonomies"]
    taxa = [taxon["id"] for taxon in taxonomy["taxa"]]
    assert len(set(taxa)) == len(taxa)
    listed = run["tool"]["driver"]["rules"]
    for rule, document in zip(RULES, listed, strict=False):
        targets = [relation["target"] for relation in document["relationships"]]
        assert [taxa[target["index"]] for target in targets] == [t["id"] for t in targets]
        assert tuple(int(target["id"]) for target in targets) == rule.cwe
        tagged = {f"external/cwe/cwe-{number}" for number in rule.cwe}
        assert tagged <= set(document["properties"]["tags"])
        assert ("security" in document["properties"]["tags"]) is rule.is_security
    crypto = listed[INDEX["sec_weak_crypt"]]
    assert crypto["properties"]["tags"][1:] == ["external/cwe/cwe-326", "external/cwe/cwe-327"]


def test_levels_are_those_of_the_table(run: dict[str, Any]) -> None:
    listed = run["tool"]["driver"]["rules"]
    for smell in SMELLS:
        for rule in smell.rules:
            document = listed[INDEX[rule.id]]
            assert document["defaultConfiguration"]["level"] == smell.level
            severity = document["properties"].get("security-severity")
            assert severity == (None if smell.severity is None else f"{smell.severity:.1f}")


def test_a_report_of_many_codes_lists_a_thousand() -> None:
    """A hostile one must not fill the memory; the results of the others still name their rule."""
    rules = Rules()
    found = [
        rules.index(Detection(1, "a.yml", 1, f"sec_new_{n}", None, "", ""))
        for n in range(OTHERS + 5)
    ]
    assert found[:2] == [len(RULES), len(RULES) + 1]
    assert found[-5:] == [None] * 5
    assert len(rules.document()) == len(RULES) + OTHERS


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
