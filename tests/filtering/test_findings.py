"""Findings, and what is written of them for GitLab and for a job's page."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from iacfilter_hpc.filtering.code_quality import CodeQualityReport
from iacfilter_hpc.filtering.findings import (
    NOBODY_COULD_JUDGE,
    Findings,
    Unjudged,
    known_smells,
)
from iacfilter_hpc.filtering.summary import LISTED, JobSummary
from iacfilter_hpc.glitch.decisions import DecidedRow, Tally
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.report import BadRow, Detection
from iacfilter_hpc.glitch.sarif import DecidingModel
from tests.glitch.made_decisions import judge, write_all

MODEL = DecidingModel("enc`oder", 0.5, "as asked")
SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


@pytest.fixture
def rows(tmp_path: Path) -> list[DecidedRow]:
    return judge(*write_all(tmp_path))


def test_without_flags_all_that_is_kept_counts(rows: list[DecidedRow]) -> None:
    found = Findings()
    assert [found.counts(row) for row in rows] == [row.decision != "FP" for row in rows]
    assert all(found.shows(row) for row in rows)


def test_unjudged_rows_count_or_not(rows: list[DecidedRow]) -> None:
    found = Findings(unjudged=Unjudged.IGNORE)
    assert [found.counts(row) for row in rows] == [row.decision == "TP" for row in rows]
    shown = [row for row in rows if found.shows(row)]
    assert [row for row in rows if row not in shown] == [
        row for row in rows if row.decision is None and isinstance(row.row.found, Detection)
    ]


def test_only_chosen_smells_count(rows: list[DecidedRow]) -> None:
    found = Findings(frozenset({"use_of_http"}))
    kept = [row for row in rows if found.counts(row)]
    assert {row.smell for row in kept} == {"use_of_http", None}
    # what cannot be read may be of any smell; GLITCH's other codes are none that was chosen
    assert [row for row in kept if row.smell is None] == [
        row for row in rows if isinstance(row.row.found, BadRow)
    ]


COUNTED = set(
    "NOT_IN_ORACLE NOT_CHOSEN RULE CREDENTIAL UNLIKE_TRAINING WHOLE_SMELL TOO_MANY CHANGED "
    "UNSURE EXPIRED_VERDICT".split()
)
"""Reasons that --unjudged ignore does not reach, though --smells may."""


@pytest.mark.parametrize("cause", Cause, ids=lambda each: each.name)
def test_what_is_kept_for_another_reason_than_that_nobody_could_judge_it_counts(
    rows: list[DecidedRow], cause: Cause
) -> None:
    """Whatever else is ignored: what looks like a live credential must not be.

    A new reason is placed here, or among those that may be ignored.
    """
    judged = next(row for row in rows if row.decision == "FP")
    kept = replace(judged, decision=None, p_tp=None, reason=Reason(cause, "kept"))
    is_ignored = not Findings(unjudged=Unjudged.IGNORE).counts(kept)
    assert is_ignored == (cause in NOBODY_COULD_JUDGE) == (cause.name not in COUNTED)
    assert Findings().counts(kept)


def test_words_of_smells() -> None:
    found, unknown = known_smells(["hard_coded_secret", "sec_https", "Use of HTTP", "nonsense", ""])
    assert found == {"hard_coded_secret", "use_of_http"}
    assert unknown == ["nonsense", ""]


def quality(rows: list[DecidedRow]) -> list[dict[str, Any]]:
    written = io.BytesIO()
    report = CodeQualityReport(written.write)
    report.begin()
    for row in rows:
        report.add([row])
    report.end()
    found = json.loads(written.getvalue().decode("utf-8"))
    assert isinstance(found, list)
    return found


def test_gitlab_gets_the_fields_that_it_documents(rows: list[DecidedRow]) -> None:
    """Source: docs.gitlab.com/ci/testing/code_quality, Code Quality report format."""
    found = quality(rows)
    assert len(found) == sum(isinstance(row.row.found, Detection) for row in rows)
    for issue in found:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in SEVERITIES
        assert isinstance(issue["description"], str) and issue["description"]
        assert re.fullmatch("[0-9a-f]{40}", issue["fingerprint"])
        # relative, and it must not begin with ./
        assert issue["location"]["path"] and not issue["location"]["path"].startswith("./")
        assert issue["location"]["lines"]["begin"] >= 1
        assert "hunter" not in json.dumps(issue)
    assert len({issue["fingerprint"] for issue in found}) == len(found)
    assert quality([]) == []


def test_a_fingerprint_stays_as_lines_move(rows: list[DecidedRow], tmp_path: Path) -> None:
    before = [issue["fingerprint"] for issue in quality(rows[:2])]
    moved = []
    for row in rows[:2]:
        assert isinstance(row.row.found, Detection) and row.sample
        found = replace(row.row.found, line=row.row.found.line + 7)
        sample = replace(row.sample, line=row.sample.line + 7)
        moved.append(replace(row, row=replace(row.row, found=found), sample=sample))
    assert [issue["fingerprint"] for issue in quality(moved)] == before


def summary(rows: list[DecidedRow]) -> str:
    written = io.BytesIO()
    made, tally = JobSummary(written.write, MODEL), Tally()
    tally.add(rows)
    made.add(row for row in rows if Findings().counts(row))
    made.end(tally)
    return written.getvalue().decode("utf-8")


def test_a_summary_counts_and_names_places_without_their_lines(rows: list[DecidedRow]) -> None:
    text = summary(rows)
    kept = sum(row.decision != "FP" for row in rows)
    assert text.startswith(
        f"### Security smells: {kept} findings, {13 - kept} false alarms set aside"
    )
    assert "`roles/x/tasks/main.yml:4`" in text and "row 13 of the report" in text
    assert "hunter" not in text
    tally = Tally()
    tally.add(rows)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + kept + 2 + len(tally.by_smell())


def test_names_are_nothing_but_names(rows: list[DecidedRow]) -> None:
    hostile = "a`b|c\n# x\n<img src=x onerror=y>[l](http://e.example)\udcff.yml"
    found = rows[0].row.found
    assert isinstance(found, Detection)
    odd = replace(found, path=hostile, code="sec_`<b>x", smell=None)
    text = summary([replace(rows[0], row=replace(rows[0].row, found=odd), file=hostile)])
    html = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert "<img" not in html and "<a " not in html and "<b>" not in html
    assert html.count("<h") == 1


def test_a_summary_does_not_grow_without_end(rows: list[DecidedRow]) -> None:
    text = summary([rows[0]] * (LISTED + 7))
    assert text.count("main.yml:4`") == LISTED
    assert "and 7 more findings" in text
