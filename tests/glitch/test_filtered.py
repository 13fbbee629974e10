"""iacfilter_hpc.glitch.filtered: GLITCH's own bytes, with two columns that cut off cleanly."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.filtered import FilteredReport
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.report import Detection, GlitchReport, open_report
from iacfilter_hpc.samples.byte_lines import BOM, MAX_ROW_BYTES
from tests.glitch.made_decisions import ROWS, judge, write_all

LONG = "PATH,LINE,ERROR,DESCRIPTION,CODE"
V2 = f"{LONG}\nwork/roles/x/tasks/main.yml,4,sec_https,Use, of HTTP (CWE-319),a,b\n"
ENDS = (",TP,1", ",FP,0.5", ",TP,0.9000001", ",tp,0.900000", ",TP,0.900000,", ",UNJUDGED: ,x,")
WORDS = "PATH,LINE,ERROR\r\nwork/roles/x/tasks/main.yml,4,use of http\r\n"


def written(
    report: GlitchReport, judged: list[DecidedRow], *, every: bool = False, bare: bool = False
) -> bytes:
    parts: list[bytes] = []
    with report.path.open("rb") as source:
        made = FilteredReport(report, source, parts.append, every=every, bare=bare)
        made.begin()
        made.add(judged)
    return b"".join(parts)


def test_rows_judged_fp_are_left_out_and_the_others_carry_why(tmp_path: Path) -> None:
    report, scripts = write_all(tmp_path)
    lines = ROWS.splitlines()
    outside = f"UNJUDGED: its path is not below work; or leads out of {scripts.folder}"
    assert written(report, judge(report, scripts)).decode().splitlines() == [
        f"{lines[0]},TP,0.900000",
        f"{lines[3]},TP,0.600000",
        f"{lines[6]},TP,0.750000",
        f"{lines[7]},UNJUDGED: file is missing,",
        f"{lines[8]},UNJUDGED: line 99 is past the end (13 lines),",
        f"{lines[9]},UNJUDGED: line is -1,",
        f"{lines[10]},{outside},",
        f"{lines[11]},UNJUDGED: code design_long_statement is none of GLITCH's 43 rules,",
        f"{lines[12]},UNJUDGED: not PATH;LINE;CODE;REPR,",
    ]


def test_every_row_can_be_kept_and_marked(tmp_path: Path) -> None:
    report, scripts = write_all(tmp_path)
    lines = written(report, judge(report, scripts), every=True).decode().splitlines()
    assert [line.rsplit(",", 2)[0] for line in lines] == ROWS.splitlines()
    marks = [line.rsplit(",", 2)[1:] for line in lines]
    assert marks[:2] == [["TP", "0.900000"], ["FP", "0.200000"]]
    assert {p_tp for mark, p_tp in marks if mark.startswith("UNJUDGED")} == {""}


@pytest.mark.parametrize("text", [ROWS, V2, WORDS, "\ufeff" + ROWS, "\ufeff" + V2])
def test_bare_rows_are_the_report_itself(tmp_path: Path, text: str) -> None:
    report, scripts = write_all(tmp_path, text)
    judged = judge(report, scripts)
    assert written(report, judged, every=True, bare=True) == report.path.read_bytes()
    # a verdict takes nothing from a row, however often it is judged
    (tmp_path / "again.csv").write_bytes(written(report, judged, every=True))
    again = open_report(tmp_path / "again.csv")
    assert (again.format, again.bom, again.newline) == (
        report.format,
        report.bom,
        report.newline,
    )
    before = [row for row in report.rows() if isinstance(row, Detection)]
    after = [row for row in again.rows() if isinstance(row, Detection)]
    assert [(d.path, d.line, d.code, d.smell) for d in after] == [
        (d.path, d.line, d.code, d.smell) for d in before
    ]
    assert before and all(a.raw.startswith(b.raw) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("text", [ROWS, V2, WORDS, "\ufeff" + V2, ROWS.replace("\n", "\r\n")])
def test_a_report_that_was_filtered_before_has_its_columns_replaced(
    tmp_path: Path, text: str
) -> None:
    report, scripts = write_all(tmp_path, text)
    before = report.path.read_bytes()
    once = written(report, judge(report, scripts), every=True)
    report, scripts = write_all(tmp_path, once)
    reasons = [each.reason for each in judge(report, scripts)]
    assert written(report, judge(report, scripts), every=True) == once
    assert written(report, judge(report, scripts), every=True, bare=True) == before
    report, scripts = write_all(tmp_path, before)
    assert reasons == [each.reason for each in judge(report, scripts)]


def test_words_of_a_report_that_look_a_little_like_a_verdict_stay(tmp_path: Path) -> None:
    """Only what this program writes gives way, and of version 2 only below its header."""
    rows = [f"work/roles/x/tasks/main.yml,4,sec_https,url{end}" for end in ENDS]
    report, scripts = write_all(tmp_path, "".join(f"{row}\n" for row in rows))
    lines = written(report, judge(report, scripts, [0.9] * len(rows))).decode().splitlines()
    assert lines == [f"{row},TP,0.900000" for row in rows]
    report, scripts = write_all(tmp_path, V2.replace(",a,b", ",url,TP,0.900000"))
    assert written(report, judge(report, scripts)).endswith(b",url,TP,0.900000,TP,0.900000\n")


def test_a_header_names_the_columns(tmp_path: Path) -> None:
    report, scripts = write_all(tmp_path, V2)
    head, row = written(report, judge(report, scripts)).decode().splitlines()
    assert head == f"{LONG},DECISION,P_TP"
    assert row.endswith(",a,b,TP,0.900000")
    report, scripts = write_all(tmp_path, WORDS)
    assert written(report, judge(report, scripts, [0.1])) == b"PATH,LINE,ERROR,DECISION,P_TP\r\n"


def test_line_ends_and_bytes_stay_as_they_are(tmp_path: Path) -> None:
    row = b"work/roles/x/tasks/main.yml,4,sec_https,gr\xfc\xdfe \xe2\x82\xac \"q\" 'a, b'"
    content = BOM + row + b"\r\n" + b"\r\n" + row + b"\n" + row[:24]
    report, scripts = write_all(tmp_path, content)
    expected = b",TP,0.900000\r\n", b"\r\n", b",TP,0.600000\n"
    cut = row[:24] + b",UNJUDGED: not PATH;LINE;CODE;REPR,"
    assert written(report, judge(report, scripts, [0.9, 0.6])) == (
        BOM + row + expected[0] + expected[1] + row + expected[2] + cut
    )


def test_a_row_of_more_than_8_mib_is_kept_whole(tmp_path: Path) -> None:
    row = b"work/roles/x/tasks/main.yml,4,sec_https,a\n"
    long = row[:-1].ljust(MAX_ROW_BYTES + 3, b"b")
    report, scripts = write_all(tmp_path, row + long + b"\n" + row)
    assert written(report, judge(report, scripts, [0.1, 0.9])) == (
        long + b",UNJUDGED: longer than 8 MiB,\n" + row[:-1] + b",TP,0.900000\n"
    )


def test_a_reason_stays_one_field(tmp_path: Path) -> None:
    """Whatever stands in a folder's name."""
    report, scripts = write_all(tmp_path, "/elsewhere/a.yml,1,sec_https,x\n")
    (judged,) = judge(report, scripts)
    reason = Reason(Cause.BAD_ROW, "its path, a\nb\udcff\u20ac, is odd")
    odd = DecidedRow(judged.row, None, None, reason=reason)
    assert written(report, [odd]).decode() == (
        "/elsewhere/a.yml,1,sec_https,x,UNJUDGED: its path; a?b?\u20ac; is odd,\n"
    )


def test_a_report_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    report, scripts = write_all(tmp_path)
    judged = judge(report, scripts)
    report.path.write_bytes(b"work/")
    with pytest.raises(DataError, match="changed while it was read"):
        written(report, judged)


def test_what_glitch_prints_around_its_rows_is_left_out(tmp_path: Path) -> None:
    """Statistics would count what is removed, and a reader of CSV could not take them."""
    table = "+----+----+\n| Combined | 12 |\n+----+----+\n"
    report, scripts = write_all(tmp_path, V2 + table + V2 + "\nhalf a row\n")
    judged = judge(report, scripts, [0.9, 0.1])
    assert written(report, judged).decode().splitlines() == [
        f"{LONG},DECISION,P_TP",
        f"{V2.splitlines()[1]},TP,0.900000",
        "",
        "half a row,UNJUDGED: not PATH;LINE;ERROR;DESCRIPTION;CODE,",
    ]


def test_a_report_in_linter_form_comes_back_in_it(tmp_path: Path) -> None:
    row = "Use - of HTTP. (CWE-319),work/roles/x/tasks/main.yml,4,sec_hard_pass,-,a,b\n"
    row = row.replace("Use - of HTTP", "Hard-coded password - Nobody should see it")
    row = row.replace(",4,", ",9,").replace("a,b", "password: x")
    report, scripts = write_all(tmp_path, row)
    once = written(report, judge(report, scripts, [0.9]))
    assert once.decode() == f"{row[:-1]},TP,0.900000\n"
    report, scripts = write_all(tmp_path, once)
    assert written(report, judge(report, scripts, [0.9])) == once
