"""iacfilter_hpc.verdicts.people: what a person has decided comes before what a model would say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.filtering.filter import NOT_CHOSEN
from iacfilter_hpc.glitch.decisions import Counts, DecidedRow, Tally
from iacfilter_hpc.glitch.filtered import FilteredReport
from iacfilter_hpc.glitch.report import Detection, open_report
from iacfilter_hpc.glitch.sarif import DecidingModel, SarifLog
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.verdicts.anchor import Expiry
from iacfilter_hpc.verdicts.finding import Place
from iacfilter_hpc.verdicts.people import People, read_people
from iacfilter_hpc.verdicts.repository import find_verdicts
from iacfilter_hpc.verdicts.verdict import Decision
from tests.glitch import made_decisions
from tests.glitch.made_decisions import FILES, TASKS, write_all
from tests.glitch.test_sarif import VALIDATOR
from tests.verdicts.made_verdicts import AT, FILE, HTTP, SECRET, judge, make_repository

MODEL = DecidingModel("mine", 0.5, "by hand")
RUBY = Place("use_of_http", "scripts/cookbooks/a b/caf\u00e9:1.rb", 3)
ODD = Place("design_long_statement", FILE, 4)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


def people(tmp_path: Path) -> People:
    _, scripts = write_all(tmp_path)
    found = read_people(scripts, None)
    assert found is not None
    return found


def decided(tmp_path: Path) -> list[DecidedRow]:
    """Every row of the report, as the model has judged it, then as people have."""
    report, scripts = write_all(tmp_path)
    # row 4, 9, 9, 10, 13 of the tasks, then 1 and 3 of the recipe
    asked = people(tmp_path)
    return [asked.decide(each) for each in made_decisions.judge(report, scripts)]


def test_people_overrule_the_model(tmp_path: Path, scripts: Path) -> None:
    judge(scripts, HTTP, Decision.FP, note="a mirror")
    judge(scripts, SECRET, Decision.TP)
    judge(scripts, RUBY, Decision.UNSURE)
    # also what no model can judge
    judge(scripts, ODD, Decision.FP)
    rows = decided(tmp_path)
    assert [each.decision for each in rows[:7]] == ["FP", "TP", "TP", "TP", "FP", "FP", None]
    assert rows[0].person is not None and rows[0].p_tp is None
    assert rows[6].reason is not None and rows[6].reason.text == "a person is unsure"
    assert (rows[11].decision, rows[11].reason) == ("FP", None)
    tally = Tally()
    tally.add(rows)
    assert tally.by_people() == Counts(tp=2, fp=2, unjudged=1)
    assert people(tmp_path).standing == 4


def test_rows_say_who_decides_and_are_read_again(tmp_path: Path, scripts: Path) -> None:
    judge(scripts, HTTP, Decision.FP)
    judge(scripts, SECRET, Decision.TP)
    judge(scripts, RUBY, Decision.UNSURE)
    report, _ = write_all(tmp_path)
    rows = decided(tmp_path)
    parts: list[bytes] = []
    with report.path.open("rb") as source:
        FilteredReport(report, source, parts.append, every=True).add(rows)
    lines = b"".join(parts).decode().splitlines()
    assert lines[0].endswith("b.tgz',FP by a person,")
    assert lines[1].endswith("password:'hunter,2',TP by a person,")
    assert lines[6].endswith("source 'http://a.example',UNJUDGED: a person is unsure,")
    again = tmp_path / "again.csv"
    again.write_bytes(b"".join(parts))
    before = [each for each in report.rows() if isinstance(each, Detection)]
    after = [each for each in open_report(again).rows() if isinstance(each, Detection)]
    assert [each.detail for each in after] == [each.detail for each in before]


@pytest.mark.parametrize("header", ["PATH,LINE,ERROR", "PATH,LINE,ERROR,DESCRIPTION,CODE"])
def test_every_form_knows_the_columns_again(tmp_path: Path, header: str) -> None:
    path = tmp_path / "words.csv"
    middle = "use of http" if header.endswith("ERROR") else "sec_https,HTTP (CWE-319),url"
    path.write_text(f"{header},DECISION,P_TP\na.yml,4,{middle},FP by a person,\n")
    (row,) = open_report(path).rows()
    assert isinstance(row, Detection) and row.smell == "use_of_http"
    assert "person" not in row.detail + row.code


def test_sarif_has_the_persons_word(tmp_path: Path, scripts: Path) -> None:
    judge(scripts, HTTP, Decision.FP, by="ada [x]", note="a mirror")
    judge(scripts, SECRET, Decision.TP)
    parts: list[bytes] = []
    log = SarifLog(parts.append, MODEL)
    log.begin()
    log.add(decided(tmp_path))
    log.end()
    document = json.loads(b"".join(parts))
    assert not list(VALIDATOR.iter_errors(document))
    results = document["runs"][0]["results"]
    first = next(each for each in results if each["properties"]["reportRow"] == 1)
    why = f"ada [x] judged it a false alarm on {AT}: a mirror"
    suppression = {"kind": "external", "status": "accepted", "justification": why}
    assert first["suppressions"] == [suppression]
    assert first["properties"]["person"] == "ada [x]"
    assert first["message"]["text"].endswith(" a person judges it FP.")
    second = next(each for each in results if each["properties"]["reportRow"] == 2)
    assert second["suppressions"] == [] and second["level"] == "error"


@pytest.mark.parametrize(
    ("decision", "kept"), [(Decision.TP, True), (Decision.UNSURE, True), (Decision.FP, False)]
)
def test_what_a_person_called_real_is_kept_when_its_block_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scripts: Path, decision: Decision, kept: bool
) -> None:
    """The model would remove it: it says p(TP) .2."""
    judge(scripts, SECRET, decision)
    edited = TASKS.replace(b"name: deploy", b"name: deployer")
    monkeypatch.setitem(FILES, "roles/x/tasks/main.yml", edited)
    row = decided(tmp_path)[1]
    assert people(tmp_path).expired == {Expiry.BLOCK: 1}
    assert (row.person, row.decision) == (None, None if kept else "FP")
    if kept:
        said = f"a person's verdict {decision} on this line has expired"
        assert row.reason is not None and row.reason.text == said


def test_without_a_file_nobody_has_decided(tmp_path: Path, scripts: Path) -> None:
    _, below = write_all(tmp_path)
    assert read_people(below, None) is None
    with pytest.raises(UsageError, match=r"--verdicts none\.jsonl is not there"):
        read_people(below, Path("none.jsonl"))


def test_a_verdict_is_on_one_of_the_findings_of_a_line(tmp_path: Path, scripts: Path) -> None:
    """A user and a password in one line are two findings, and so are two missing attributes."""
    (scripts / "both.yml").write_text("db: {user: root, password: hunter2}\n")
    said = [
        "sec_hard_user,Hard-coded user. (CWE-798),user:'root'",
        "sec_hard_pass,Hard-coded password. (CWE-259),password:'hunter2'",
        "sec_naming,Suggestion: check for a required attribute with name 'a.b'.,db x",
        "sec_naming,Suggestion: check for a required attribute with name 'c'.,db x",
    ]
    rows = "".join(f"work/both.yml,1,{each}\n" for each in said)
    report, below = write_all(tmp_path, f"PATH,LINE,ERROR,DESCRIPTION,CODE\n{rows}")
    places = find_verdicts(scripts).repository.places(below)
    found = [each for each in report.rows() if isinstance(each, Detection)]
    for each in (found[0], found[2]):
        place = places.of(each)
        assert place is not None
        judge(scripts, place, Decision.FP)
    asked = read_people(below, None)
    assert asked is not None
    decided = [asked.decide(each) for each in made_decisions.judge(report, below, [0.9] * 4)]
    assert [each.person is not None for each in decided] == [True, False, True, False]
    assert [each.decision == "FP" for each in decided] == [True, False, True, False]


def test_a_label_of_a_sample_is_for_its_line(tmp_path: Path, scripts: Path) -> None:
    judge(scripts, SECRET, Decision.TP)
    assert SECRET.words == ""
    assert [each.decision for each in decided(tmp_path)[1:3]] == ["TP", "TP"]


def test_a_prefix_does_not_matter(tmp_path: Path, scripts: Path) -> None:
    """The report's paths are the scripts' in a folder of another name."""
    judge(scripts, HTTP, Decision.FP)
    report, below = write_all(tmp_path, "/ci/job/roles/x/tasks/main.yml,4,sec_https,url\n")
    found = read_people(replace(below, prefix="/ci/job"), None)
    (row,) = made_decisions.judge(report, replace(below, prefix="/ci/job"), [0.9])
    assert found is not None and found.decide(row).decision == "FP"


def test_of_two_verdicts_on_a_line_the_more_careful_one_counts(
    tmp_path: Path, scripts: Path
) -> None:
    """One on GLITCH's words, the other on the line as a whole, as a sample has no words."""
    words = people_place(tmp_path, HTTP)
    judge(scripts, words, Decision.FP)
    judge(scripts, HTTP, Decision.TP)
    assert decided(tmp_path)[0].decision == "TP"


def people_place(tmp_path: Path, place: Place) -> Place:
    """The place with what GLITCH says of it."""
    report, scripts = write_all(tmp_path)
    places = find_verdicts(scripts.folder).repository.places(scripts)
    found = (places.of(row) for row in report.rows() if isinstance(row, Detection))
    return next(each for each in found if each and each.whole_line == place)


def test_a_row_that_is_not_asked_for_passes(tmp_path: Path, scripts: Path) -> None:
    judge(scripts, HTTP, Decision.FP)
    report, folder = write_all(tmp_path)
    row = made_decisions.judge(report, folder)[0]
    left_out = replace(row, decision=None, p_tp=None, sample=None, reason=NOT_CHOSEN)
    assert people(tmp_path).decide(left_out) == left_out


def test_what_a_person_called_real_is_counted_once_its_line_is_gone(
    tmp_path: Path, scripts: Path
) -> None:
    judge(scripts, SECRET, Decision.TP)
    judge(scripts, HTTP, Decision.FP)
    assert people(tmp_path).lost == 0
    (scripts / FILE.partition("/")[2]).write_text("changed\n")
    found = read_people(Scripts(scripts, "work"), None)
    assert found and found.lost == 1
