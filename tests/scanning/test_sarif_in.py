"""SARIF of other tools as rows of GLITCH's form: of which smells they are, and none is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.report import Detection, open_report
from iacfilter_hpc.samples.smells import smell_of_code
from iacfilter_hpc.scanning.sarif_in import MEANINGS, TakenIn, code_of, report_of_sarif

Read = tuple[TakenIn, list[Detection]]


def result(rule: str, uri: str = "a.yml", line: int = 3, **more: object) -> dict[str, object]:
    region = {"startLine": line, "snippet": {"text": "  password: hunter2\nnext"}}
    place = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
    return {"ruleId": rule, "message": {"text": f"It is {rule}."}, "locations": [place], **more}


def log(*results: dict[str, object], name: str = "tool", **driver: object) -> dict[str, object]:
    tool = {"driver": {"name": name, **driver}}
    return {"version": "2.1.0", "runs": [{"tool": tool, "results": list(results)}]}


def read(tmp_path: Path, document: object) -> Read:
    """What comes of a log, every row of it read again."""
    path = tmp_path / "in.sarif"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with report_of_sarif(path) as made:
        rows = list(open_report(made.report).rows())
    assert all(isinstance(row, Detection) for row in rows), rows
    return made, [row for row in rows if isinstance(row, Detection)]


def rule(name: str, **properties: object) -> dict[str, object]:
    return {"id": name, "properties": properties}


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda each: each.code)
def test_the_table_names_rules_that_are_judged_and_nothing_twice(meaning: Any) -> None:
    assert smell_of_code(meaning.code) is not None
    for kind in ("cwes", "rules", "tools"):
        others = [x for each in MEANINGS if each is not meaning for x in getattr(each, kind)]
        assert not set(getattr(meaning, kind)) & set(others)


@pytest.mark.parametrize(
    ("rules", "found", "smell"),
    [
        ([rule("r", tags=["security", "external/cwe/cwe-798"])], result("r"), "hard_coded_secret"),
        ([rule("r", tags=["CWE-0319: Cleartext"])], result("r"), "use_of_http"),
        ([rule("r", cwe=["CWE-327"])], result("r"), "weak_cryptography_algorithms"),
        ([rule("r", cwe={"id": "CWE-546"})], result("r"), "suspicious_comment"),
        ([rule("x"), rule("r", cwe="CWE-258")], result("", ruleIndex=1), "empty_password"),
        (
            [
                {
                    "id": "r",
                    "relationships": [{"target": {"id": "250", "toolComponent": {"name": "CWE"}}}],
                }
            ],
            result("r"),
            "admin_by_default",
        ),
        (
            [],
            result("r", taxa=[{"id": "353", "toolComponent": {"name": "CWE"}}]),
            "no_integrity_check",
        ),
        ([], result("CKV2_ANSIBLE_1"), "use_of_http"),
        ([rule("r", tags=["CWE-798", "CWE-319"])], result("r"), None),
        ([rule("r", tags=["CWE-798", "CWE-200"])], result("r"), "hard_coded_secret"),
        ([rule("r", tags=["CWE-284"])], result("r"), None),
        ([rule("r", tags=["CWE-7980", "798"])], result("r"), None),
        ([], result("r"), None),
    ],
)
def test_a_finding_is_of_the_smell_that_its_rule_says(
    tmp_path: Path, rules: list[object], found: dict[str, object], smell: str | None
) -> None:
    made, rows = read(tmp_path, log(found, rules=rules))
    assert [row.smell for row in rows] == [smell]
    assert made.known == (smell is not None)
    assert (rows[0].path, rows[0].line) == ("a.yml", 3)


def test_a_scanner_of_secrets_finds_secrets(tmp_path: Path) -> None:
    _, rows = read(tmp_path, log(result("generic-api-key"), name="Gitleaks"))
    assert rows[0].smell == "hard_coded_secret"
    assert rows[0].detail == "password: hunter2"
    assert rows[0].raw == (
        "a.yml,3,sec_hard_secr,Gitleaks generic-api-key - It is generic-api-key.,password: hunter2"
    )
    assert code_of("trufflehog", "any", frozenset()) == "sec_hard_secr"


def test_what_is_of_no_smell_passes_under_its_own_name(tmp_path: Path) -> None:
    rules = [rule("CKV_AWS_1: it, too", tags=["CWE-1000"])]
    made, rows = read(tmp_path, log(result("CKV_AWS_1: it, too"), rules=rules, name="Checkov"))
    assert (rows[0].smell, rows[0].code) == (None, "sarif_checkov_ckv_aws_1_it_too")
    assert (made.rows, made.known) == (1, 0)


def test_what_is_no_open_finding_makes_no_row(tmp_path: Path) -> None:
    accepted, rejected = ([{"kind": "inSource", "status": s}] for s in ("accepted", "rejected"))
    made, rows = read(
        tmp_path,
        log(
            result("suppressed", suppressions=accepted),
            result("by-default", suppressions=[{"kind": "external"}]),
            result("rejected", suppressions=rejected),
            result("passed", kind="pass"),
            result("gone", baselineState="absent"),
            result("open", suppressions=[]),
            result("review", kind="review"),
        ),
    )
    assert [row.code for row in rows] == [
        "sarif_tool_rejected",
        "sarif_tool_open",
        "sarif_tool_review",
    ]
    assert (made.rows, made.closed) == (3, 4)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("roles/a%20b/x.yml", "roles/a b/x.yml"),
        ("a,%20b.yml", "a, b.yml"),
        ("file:///work/a.yml", "/work/a.yml"),
        ("caf%C3%A9.yml", "caf\u00e9.yml"),
        ("latin%FF.yml", "latin\udcff.yml"),
        ("line%0Aend,9,sec_https,x.yml", "line end"),
        ("", "no-location"),
        ("https://a.example/x.yml", "https://a.example/x.yml"),
    ],
)
def test_paths(tmp_path: Path, uri: str, path: str) -> None:
    _, rows = read(tmp_path, log(result("r", uri)))
    assert [row.path for row in rows] == [path]


def test_hostile_texts_stay_one_row_each(tmp_path: Path) -> None:
    text = "a\nb.yml,1,sec_https,x (CWE-319),\r\u2028\x1b[31m" + "y" * 100_000
    odd = result("r", message={"text": text})
    made, rows = read(tmp_path, log(odd, {"message": {}}, result("", line=-1), name=text))
    assert made.rows == len(rows) == 3
    assert [row.line for row in rows] == [3, -1, -1]
    assert all(row.smell is None and len(row.raw) < 5000 for row in rows)


def test_rules_of_extensions(tmp_path: Path) -> None:
    document: Any = log(result("r"))
    named = {"id": "r", "index": 0, "toolComponent": {"index": 0}}
    document["runs"][0]["results"][0]["rule"] = named
    tool = document["runs"][0]["tool"]
    tool["extensions"] = [{"name": "pack", "rules": [rule("r", tags=["cwe-798"])]}]
    assert read(tmp_path, document)[1][0].smell == "hard_coded_secret"
    named["toolComponent"] = {"index": 7}
    assert read(tmp_path, document)[1][0].smell == "hard_coded_secret", "by its id"


def test_runs_without_results(tmp_path: Path) -> None:
    document: Any = log()
    document["runs"][0]["results"] = None
    assert read(tmp_path, document)[0].rows == 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"runs": 3}', '{"version": "2.1.0", "runs": [{}]}', "[" * 100_000]
)
def test_what_is_no_log_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="is no SARIF log") as refused:
        read(tmp_path, text)
    assert len(refused.value.message) < 1000
    with pytest.raises(DataError, match="cannot be read"), report_of_sarif(tmp_path / "none"):
        pass
