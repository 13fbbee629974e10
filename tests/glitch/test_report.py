"""iacfilter_hpc.glitch.report: three forms, every row accounted for, every byte kept."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.report import BadRow, CsvFormat, Detection, GlitchReport, open_report
from iacfilter_hpc.samples.byte_lines import MAX_ROW_BYTES
from tests.samples.made import REAL_DATA

OLD = b"a/b.yml,3,sec_https,url:'http://x'\n"
V2 = b"PATH,LINE,ERROR,DESCRIPTION,CODE\n"
ABOUT = b"Use of HTTP without TLS - Favor the usage of HTTPS. (CWE-319)"
WORDS = b"PATH,LINE,ERROR\n"
BAR = "ANALYZING FILES IN ROOT FOLDER |\u2588\u2588| 2/2 [100%] in 0.1s (19.37/s) \n".encode()
TABLES = b"""\
+------------------+-------------+----------------------------+---------------------------+
|            Smell | Occurrences | Smell density (Smell/KLoC) | Proportion of scripts (%) |
+------------------+-------------+----------------------------+---------------------------+
| Admin by default | 12          | 2.9                        | 4.35                      |
| ---------------- | ----------- | -------------------------- | ------------------------- |
|         Combined | 12          | 2.9                        | 4.35                      |
+------------------+-------------+----------------------------+---------------------------+
+-----------------+---------------+
| Total IaC files | Lines of Code |
+-----------------+---------------+
|        46       |      2763     |
+-----------------+---------------+
"""
LATEX = rb"""
\begin{tabular}{lrrr}
\textbf{Smell} & \textbf{Occurrences} & \textbf{Smell density} & \textbf{Proportion (%)} \\
Admin by default & 12 & 2.90 & 4.35 \\
\midrule
Combined & 12 & 2.90 & 4.35 \\
\end{tabular}
\begin{tabular}{rr}
\textbf{Total IaC files} & \textbf{Lines of Code} \\
46 & 2,763 \\
\end{tabular}
""".lstrip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "report.csv"


def rows_of(path: Path, content: bytes) -> tuple[GlitchReport, list[Detection | BadRow]]:
    path.write_bytes(content)
    report = open_report(path)
    return report, list(report.rows())


def test_the_form_of_2022(file: Path) -> None:
    report, rows = rows_of(file, OLD)
    assert report == GlitchReport(file, "2022", None, "\n", bom=False)
    assert rows == [
        Detection(
            row=1,
            path="a/b.yml",
            line=3,
            code="sec_https",
            smell="use_of_http",
            detail="url:'http://x'",
            raw="a/b.yml,3,sec_https,url:'http://x'",
            description="",
        )
    ]


def test_the_form_of_version_2(file: Path) -> None:
    report, rows = rows_of(file, V2 + b"a.pp,7,sec_hard_pass," + ABOUT + b",$p = 'a,b'\n")
    assert (report.format, report.header) == ("v2", "PATH,LINE,ERROR,DESCRIPTION,CODE")
    (row,) = rows
    assert isinstance(row, Detection)
    assert (row.row, row.path, row.line) == (2, "a.pp", 7)
    assert (row.code, row.smell, row.detail) == (
        "sec_hard_pass",
        "hard_coded_secret",
        "$p = 'a,b'",
    )
    assert row.description == ABOUT.decode()


def test_the_form_of_the_replication_package(file: Path) -> None:
    report, rows = rows_of(file, WORDS + b"a.rb,1,hardcoded-secret\nb.rb,2,suspicious comment\n")
    assert (report.format, report.header) == ("replication", "PATH,LINE,ERROR")
    smells = [(row.path, row.smell) for row in rows if isinstance(row, Detection)]
    assert smells == [("a.rb", "hard_coded_secret"), ("b.rb", "suspicious_comment")]


@pytest.mark.parametrize(
    ("code", "smell"),
    [
        ("sec_hard_secr", "hard_coded_secret"),
        ("sec_hard_user", "hard_coded_secret"),
        ("sec_hard_pass", "hard_coded_secret"),
        ("sec_susp_comm", "suspicious_comment"),
        ("sec_weak_crypt", "weak_cryptography_algorithms"),
        ("sec_https", "use_of_http"),
        ("sec_def_admin", "admin_by_default"),
        ("sec_empty_pass", "empty_password"),
        ("sec_invalid_bind", "unrestricted_ip_address"),
        ("sec_no_int_check", "no_integrity_check"),
        ("sec_no_default_switch", "missing_default_case"),
        ("sec_obsolete_command", "obsolete_command"),
        ("sec_logging", "logging"),
        ("design_long_resource", "long_resource"),
        ("implementation_long_statement", "long_statement"),
        ("sec_brand_new", None),
        ("design_long_statement", None),
    ],
)
def test_codes(file: Path, code: str, smell: str | None) -> None:
    for start, rest in ((b"", b","), (V2, b"," + ABOUT + b",")):
        _, (row,) = rows_of(file, start + b"a.yml,1," + code.encode() + rest + b"x\n")
        assert isinstance(row, Detection)
        assert (row.code, row.smell) == (code, smell)


@pytest.mark.parametrize(
    ("word", "smell"),
    [
        ("hardcoded-secret", "hard_coded_secret"),
        ("Suspicious Comment", "suspicious_comment"),
        ("weak cryptography algorithms", "weak_cryptography_algorithms"),
        ("use of http", "use_of_http"),
        ("admin by default", "admin_by_default"),
        ("empty password", "empty_password"),
        ("invalid IP address binding", "unrestricted_ip_address"),
        ("no integrity check", "no_integrity_check"),
        ("missing default case statement", "missing_default_case"),
        ("none", None),
    ],
)
def test_words(file: Path, word: str, smell: str | None) -> None:
    _, (row,) = rows_of(file, WORDS + b"a.yml,0," + word.encode() + b"\n")
    assert isinstance(row, Detection)
    assert (row.code, row.smell) == (word, smell)


@pytest.mark.parametrize(
    ("row", "path", "line", "detail"),
    [
        (b"a,b/c,d.yml,3,sec_https,x", "a,b/c,d.yml", 3, "x"),
        (b"a,9,b.yml,3,sec_https,x,4,sec_https,y", "a,9,b.yml", 3, "x,4,sec_https,y"),
        (b"a.yml,-1,sec_https,", "a.yml", -1, ""),
        (b'a.yml,3,sec_https,"x, ""y"""', "a.yml", 3, '"x, ""y"""'),
        (b"it's \"a\".yml,3,sec_https,'", 'it\'s "a".yml', 3, "'"),
        (b"a.yml,3,sec_https, x ", "a.yml", 3, " x "),
        (b" a b.yml,3,sec_https,x", " a b.yml", 3, "x"),
        (b"\xe9.yml,3,sec_https,caf\xe9", "\udce9.yml", 3, "caf\udce9"),
        ("\u00e9.yml,3,sec_https,\u2028".encode(), "\u00e9.yml", 3, "\u2028"),
        (b"a.yml,999999999,sec_https,x", "a.yml", 999999999, "x"),
    ],
)
def test_nothing_in_a_row_of_2022_is_quoted(
    file: Path, row: bytes, path: str, line: int, detail: str
) -> None:
    _, (found,) = rows_of(file, row + b"\n")
    assert isinstance(found, Detection)
    assert (found.path, found.line, found.detail) == (path, line, detail)
    assert found.raw.encode("utf-8", "surrogateescape") == row


@pytest.mark.parametrize(
    ("description", "rest", "detail"),
    [
        ("Words - and, words, more. (CWE-1 | CWE-2)", "a,b", "a,b"),
        ("Words without a number", "a,b", "a,b"),
        ("Words (CWE-1)", "", ""),
        ("Words. (CWE-1).", "x", "x"),
        ("", "", ""),
        # words of the code are not words of the description
        ("Avoid comments - Comments may lead to bad code.", "# (CWE-79), x", "# (CWE-79), x"),
        ("-", "see (CWE-79), x", "see (CWE-79), x"),
        ("Suggestion: check for additional log type(s) ['a', 'b'].", "x, y.,", "x, y.,"),
        ("Suggestion: check for a required attribute with name 'a.b'.", "c d", "c d"),
    ],
)
def test_a_description_may_hold_commas(
    file: Path, description: str, rest: str, detail: str
) -> None:
    row = f"a.yml,3,sec_https,{description},{rest}\n".encode()
    _, (found,) = rows_of(file, V2 + row)
    assert isinstance(found, Detection)
    assert found.detail == detail
    assert found.description == ("" if description == "-" else description)


FORMS: list[tuple[CsvFormat, bytes, bytes]] = [
    ("2022", b"", b"a/b.yml,30,sec_https,url"),
    ("v2", V2, b"a/b.yml,30,sec_https," + ABOUT + b",url"),
    ("replication", WORDS, b"a/b.yml,30,use of http"),
]
each_form = pytest.mark.parametrize(("form", "header", "row"), FORMS, ids=[f[0] for f in FORMS])


@each_form
def test_a_file_that_ends_inside_a_row(
    file: Path, form: CsvFormat, header: bytes, row: bytes
) -> None:
    """No cut makes another detection: it is named, or only words after the code are lost."""
    for end in range(1, len(row)):
        report, (first, *rest) = rows_of(file, header + row + b"\n" + row[:end])
        assert report.format == form
        assert isinstance(first, Detection)
        for found in rest:
            if isinstance(found, Detection):
                place = (found.path, found.line, found.code, found.smell)
                assert place == (first.path, first.line, first.code, first.smell)
                assert end >= len(b"a/b.yml,30,sec_https,"), row[:end]
            else:
                assert found.row == (2 if form == "2022" else 3)
                assert found.raw == row[:end].decode()
        assert len(rest) == 1


@each_form
@pytest.mark.parametrize(
    "bad",
    [
        b"a.yml",
        b"a.yml,3",
        b"a.yml,3,",
        b"a.yml,x,sec_https,words,y",
        b"a.yml,3.5,sec_https,words,y",
        b"a.yml,,sec_https,words,y",
        b",3",
        b"a.yml,9999999999,sec_https,words,y",
        b"a second line of a value",
        b"3,a.yml,sec_https",
    ],
)
def test_a_line_of_wrong_columns_is_a_bad_row(
    file: Path, form: CsvFormat, header: bytes, row: bytes, bad: bytes
) -> None:
    _, rows = rows_of(file, header + row + b"\n" + bad + b"\n" + row + b"\n")
    assert [type(found) for found in rows] == [Detection, BadRow, Detection]
    found = rows[1]
    assert isinstance(found, BadRow)
    assert found.raw.encode() == bad
    assert found.problem.startswith("not PATH,LINE,")


@each_form
@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"", "empty line"),
        (b" \t", "empty line"),
        (b"a\0.yml,3,sec_https,words,y", "it has a NUL byte"),
        (b"a.yml,3,sec_https,words,y\rb.yml,4,x", "it has a carriage return inside"),
    ],
)
def test_a_line_that_no_form_has(
    file: Path, form: CsvFormat, header: bytes, row: bytes, bad: bytes, problem: str
) -> None:
    _, rows = rows_of(file, header + row + b"\n" + bad + b"\n" + row + b"\n")
    number = 2 if form == "2022" else 3
    assert rows[1] == BadRow(number, bad.decode(), problem)
    assert isinstance(rows[2], Detection)


@each_form
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_the_bytes_of_a_file_can_be_put_together_again(
    file: Path, form: CsvFormat, header: bytes, row: bytes, bom: bytes, newline: bytes, last: bool
) -> None:
    latin = row.replace(b"a/b", b"\xe0/\xdf, '")
    content = bom + header + b"\n".join([row, latin, b"no row", row]) + b"\n"
    content = content.replace(b"\n", newline)
    report, rows = rows_of(file, content if last else content.removesuffix(newline))
    assert (report.format, report.bom, report.newline.encode()) == (form, bool(bom), newline)
    assert [isinstance(found, BadRow) for found in rows] == [False, False, True, False]
    lines = [*([report.header] if report.header is not None else []), *(r.raw for r in rows)]
    again = "".join(line + report.newline for line in lines)
    assert bom + again.encode("utf-8", "surrogateescape") == content


def test_a_file_of_two_line_ends_keeps_its_rows(file: Path) -> None:
    _, rows = rows_of(file, OLD + OLD.replace(b"\n", b"\r\n") + OLD)
    assert [isinstance(row, Detection) for row in rows] == [True] * 3
    assert [row.raw[-1] for row in rows] == ["'", "\r", "'"]
    assert {row.detail for row in rows if isinstance(row, Detection)} == {"url:'http://x'"}


@each_form
def test_a_row_of_a_megabyte_and_one_beyond_the_limit(
    file: Path, form: CsvFormat, header: bytes, row: bytes
) -> None:
    long = row.replace(b"a/b", b"a" * 2**20)
    longest = row.replace(b"a/b", b"a" * MAX_ROW_BYTES)
    content = header + row + b"\n" + long + b"\n" + longest + b"\n" + row + b"\n"
    _, rows = rows_of(file, content)
    assert [isinstance(found, Detection) for found in rows] == [True, True, False, True]
    bad = rows[2]
    assert isinstance(bad, BadRow)
    assert bad.problem == "longer than 8 MiB"
    assert len(bad.raw) == 1000


def test_memory_does_not_grow_with_the_file(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.write(OLD)
        sparse.truncate(2**28)
        sparse.seek(0, 2)
        sparse.write(b"\n" + OLD * 100_000)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from iacfilter_hpc.glitch.report import open_report\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(sum(1 for row in open_report(Path(sys.argv[1])).rows()))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True
    )
    count, kibibytes = map(int, done.stdout.split())
    assert count == 100_002
    assert kibibytes * 1024 < 8 * MAX_ROW_BYTES


@pytest.mark.parametrize("header", [OLD, V2, WORDS])
@pytest.mark.parametrize("begin", [b"", b"a.yml,1,", b"a.yml,1,sec_https,"])
@pytest.mark.parametrize(
    "part", [b"(CWE-", b",1,a_b", b",1,", b",", b"a_", b"a", b" ", b",UNJUDGED: x", b" - "]
)
def test_a_hostile_line_takes_no_more_than_linear_time(
    file: Path, header: bytes, begin: bytes, part: bytes
) -> None:
    long = begin + part * (2**20 // len(part)) + b"\n"
    file.write_bytes(header + long)
    began = time.monotonic()
    assert sum(1 for _ in open_report(file).rows()) == (2 if header == OLD else 1)
    assert time.monotonic() - began < 5
    file.write_bytes(long + OLD)
    open_report(file)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "part", [b"a - ", b" - .", b" - (CWE-", b"&", b"| ", b"ANALYZING A", b"+-"]
)
@pytest.mark.parametrize("end", [b"", b",1,sec_new,x", b",1,sec_new,Suggestion: ..,x"])
def test_a_hostile_path_takes_no_more_than_linear_time(file: Path, part: bytes, end: bytes) -> None:
    long = part * (2**20 // len(part)) + end + b"\n"
    began = time.monotonic()
    for first in (b"", b"A - B.,a.yml,1,sec_new,-,x\n", V2):
        file.write_bytes(first + long + OLD)
        assert sum(1 for _ in open_report(file).rows()) >= 2
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("content", [b"", b"\n", b"hello\n", b"PATH,LINE,CATEGORY,AGREEMENT\n"])
def test_a_file_without_a_row_is_an_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_report(file)
    assert str(file) in caught.value.message
    assert "PATH,LINE,CODE" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["a.linter", "oracle.csv"])
def test_what_is_no_csv_report_is_an_error(tmp_path: Path, name: str) -> None:
    content = {
        "a.linter": b"Empty password - Weak. (CWE-258)\n",
        "oracle.csv": b"PATH,LINE,CATEGORY,AGREEMENT\na.yml,3,Hard-coded secret,2\n",
    }[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="has no row PATH,LINE,CODE,REPR or"):
        open_report(tmp_path / name)


PLAIN = b"a.yml\nIssue on line 3: Empty password - Weak, very. (CWE-258)\npw: ''\n\n"


@pytest.mark.parametrize("before", [b"", BAR])
@pytest.mark.parametrize("plain", [PLAIN, PLAIN.replace(b" on line 3", b""), PLAIN + OLD])
def test_the_form_for_people_is_refused_with_the_flag_that_helps(
    file: Path, before: bytes, plain: bytes
) -> None:
    """It has no codes. What looks like a row in it is a line of a script."""
    file.write_bytes(before + plain + TABLES)
    with pytest.raises(DataError) as caught:
        open_report(file, may_be_empty=True)
    assert caught.value.message == f"{file} is GLITCH's form for people, which has no codes"
    assert "glitch lint --csv" in (caught.value.hint or "")


SECRET = "Hard-coded password - Nobody should see it"
LINTER: list[tuple[CsvFormat, bytes]] = [
    ("linter-2022", b"in/a - b.yml,3,sec_hard_pass,w 'x, y'"),
    ("linter", b"in/a - b.yml,3,sec_hard_pass,-,w 'x, y'"),
    ("linter", f"in/a - b.yml,3,sec_hard_pass,{SECRET}. (CWE-259),w 'x, y'".encode()),
    ("linter", b"in/a - b.yml,3,sec_hard_pass,Suggestion: do this, or that.,w 'x, y'"),
]


@pytest.mark.parametrize("header", [b"", b"\n", V2])
@pytest.mark.parametrize(("form", "row"), LINTER)
def test_the_linter_form_is_read(file: Path, form: CsvFormat, row: bytes, header: bytes) -> None:
    """With --csv beside --linter GLITCH writes the header of the one and the rows of the other."""
    about = f"{SECRET}. (CWE-259),".encode()
    report, rows = rows_of(file, header + about + row + b"\n" + b"x,3,sec_hard_pass,w\n")
    assert report.format == form
    first, second = (each for each in rows if not (isinstance(each, BadRow) and each.is_blank))
    assert isinstance(first, Detection)
    assert (first.path, first.line, first.code) == ("in/a - b.yml", 3, "sec_hard_pass")
    assert (first.smell, first.detail) == ("hard_coded_secret", "w 'x, y'")
    assert first.description.startswith("Suggestion:" if b"Sugg" in row else SECRET)
    assert isinstance(second, BadRow), "a row without its beginning is not of this form"


@pytest.mark.parametrize(
    "about",
    [
        # a smell of design has no CWE; and one that nobody knows is told by its shape
        ("design_duplicate_block", "Duplicate block - Duplicates blocks may reveal it."),
        ("sec_weak_password_key_policy", "Weak Password/Key Policy - Be strong. (CWE-521)."),
        ("sec_brand_new", "Brand new - Nobody knew."),
        ("sec_hard_pass", f"{SECRET}, more. (CWE-259)"),
    ],
)
def test_a_linter_form_may_begin_with_any_smell(file: Path, about: tuple[str, str]) -> None:
    code, words = about
    report, (row,) = rows_of(file, f"{words},a/b.yml,3,{code},-,steps:\n".encode())
    assert report.format == "linter"
    assert isinstance(row, Detection)
    assert (row.path, row.description, row.detail) == ("a/b.yml", words, "steps:")


def test_a_path_may_look_a_little_like_the_linter_form(file: Path) -> None:
    paths = ["a - b/c.yml", "a (CWE-1).yml", "x,a - b (CWE-1),c.yml", "a - b (CWE-1)"]
    paths += ["Use of HTTP - a.,b.yml", "a - b.,c.yml"]
    for path in paths:
        _, rows = rows_of(file, f"{path},3,sec_https,x\n".encode())
        assert [row.path for row in rows if isinstance(row, Detection)] == [path]


def test_statistics_and_progress_are_no_rows(file: Path) -> None:
    """What glitch lint --csv prints where it is told no file; nor is a header that comes again."""
    row = b"a.yml,3,sec_https," + ABOUT + b",| a | b |\n"
    content = V2 + row + TABLES + V2 + row + b"| half a row\n" + LATEX + V2
    report, rows = rows_of(file, content)
    talk = [each.raw for each in rows if isinstance(each, BadRow) and each.is_talk]
    rest = [each for each in rows if not (isinstance(each, BadRow) and each.is_blank)]
    assert [type(each) for each in rest] == [Detection, Detection, BadRow]
    assert len(talk) == len((TABLES + V2 + LATEX + V2).splitlines())
    assert report.format == "v2"
    # of version 1, whose rows have no header
    report, rows = rows_of(file, BAR + OLD + TABLES)
    assert [each.row for each in rows if isinstance(each, Detection)] == [2]
    assert all(each.is_blank for each in rows if isinstance(each, BadRow))


def test_a_header_below_other_output_is_refused_with_what_helps(file: Path) -> None:
    """Its rows would else be read as those of the form without header."""
    row = b"a.yml,3,sec_https," + ABOUT + b",x\n"
    bar = b"ANALYZING PROJECT: 100%|#| 1/1 [00:01<00:00, 1it/s]"
    for end, number in ((b"\n", 2), (b"\r", 1)):
        file.write_bytes(bar + end + V2 + row)
        with pytest.raises(DataError) as caught:
            open_report(file)
        said = f"{file}:{number}: the header of a report, below other output"
        assert caught.value.message == said
        assert "2>&1" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "line",
    [
        b"| a",
        b"+---",
        b"a | b | c",
        b"a & b",
        b"ANALYZING",
        # where both streams go to one file, a row may follow on the line of the bar
        b"ANALYZING PROJECT: 100%|#| 1/1 [00:01<00:00]\rx.yml,3,sec_https,Use.,y",
    ],
)
def test_what_only_looks_like_statistics_is_a_bad_row(file: Path, line: bytes) -> None:
    _, (bad,) = rows_of(file, V2 + line + b"\n")
    assert isinstance(bad, BadRow) and not bad.is_blank


def test_statistics_alone_are_no_report_unless_nothing_was_found(file: Path) -> None:
    """A clean scan of version 1 prints nothing else; another file has the rows otherwise."""
    for tables in (TABLES, LATEX):
        file.write_bytes(BAR + tables)
        with pytest.raises(DataError) as caught:
            open_report(file, may_be_empty=True)
        said = f"{file} holds GLITCH's statistics alone, which count 12"
        assert caught.value.message == said
        clean = tables.replace(b"12 ", b"0 ")
        assert not any(not each.is_blank for each in rows_if_empty(file, BAR + clean))
        with pytest.raises(DataError, match="count 0"):
            open_report(file)
    file.write_bytes(BAR + TABLES.replace(b"12 ", b"0 ") + b"half\n")
    with pytest.raises(DataError, match="has no row"):
        open_report(file, may_be_empty=True)


def rows_if_empty(path: Path, content: bytes) -> list[BadRow]:
    path.write_bytes(content)
    return [row for row in open_report(path, may_be_empty=True).rows() if isinstance(row, BadRow)]


def test_a_file_of_nothing_can_be_a_report_of_nothing(file: Path) -> None:
    """The form of 2022 has no header, so a clean scan leaves no byte."""
    file.write_bytes(b"")
    report = open_report(file, may_be_empty=True)
    assert (report.format, list(report.rows()), report.is_cut_off) == ("2022", [], False)


@each_form
def test_a_report_without_a_last_line_end_may_be_cut_off(
    file: Path, form: CsvFormat, header: bytes, row: bytes
) -> None:
    row = row.rstrip(b"\r\n")
    for end in (b"\n", b"\r\n"):
        assert not rows_of(file, header + row + end)[0].is_cut_off
    report, rows = rows_of(file, header + row)
    assert report.is_cut_off
    assert len(rows) == 1 and isinstance(rows[0], Detection)


@pytest.mark.parametrize(
    ("rest", "is_half"),
    [
        ("Use of HTTP, which", True),
        ("Suggestion: check for additional log type(s) ['a', 'b", True),
        # what GLITCH says in full need not hold a CWE: design, suggestions, nothing at all
        ("Avoid comments - Comments may lead to bad code.,# x", False),
        ("Suggestion: check for additional log type(s) ['a', 'b'].,x", False),
        ("-,steps:", False),
        ("Use of HTTP without TLS - Favor the usage of HTTPS. (CWE-319),u", False),
    ],
)
def test_a_last_row_of_version_2_is_whole_with_its_description(
    file: Path, rest: str, is_half: bool
) -> None:
    row = f"a.yml,3,sec_https,{rest}"
    _, rows = rows_of(file, V2 + row.encode())
    if is_half:
        assert rows == [BadRow(2, row, "the file ends inside this row")]
    else:
        assert isinstance(rows[0], Detection)
    _, rows = rows_of(file, V2 + row.encode() + b"\n")
    assert isinstance(rows[0], Detection)


def test_what_is_appended_while_rows_are_read_is_not_read(file: Path) -> None:
    file.write_bytes(OLD * 3)
    report = open_report(file)
    count = 0
    for _ in report.rows():
        count += 1
        with file.open("ab") as growing:
            growing.write(OLD * 2)
        assert count <= 3
    assert count == 3


@pytest.mark.parametrize("header", [V2, WORDS])
def test_a_header_alone_is_a_report_of_nothing(file: Path, header: bytes) -> None:
    assert rows_of(file, header)[1] == []


def test_utf_16_is_named(file: Path) -> None:
    file.write_bytes(OLD.decode().encode("utf-16"))
    with pytest.raises(DataError, match="is UTF-16"):
        open_report(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(DataError) as caught:
            open_report(path)
        assert caught.value.message == f"{path} cannot be read: {why}"


@settings(
    deadline=None,
    max_examples=200,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    header=st.sampled_from([b"", V2, WORDS, b"\xef\xbb\xbf"]),
    lines=st.lists(
        st.binary(max_size=30) | st.sampled_from([row for _, _, row in FORMS]), max_size=6
    ),
)
def test_any_bytes_are_rows_or_an_error(tmp_path: Path, header: bytes, lines: list[bytes]) -> None:
    """Whatever stands in the file: one row for each line, with its bytes, or one error."""
    path = tmp_path / "any.csv"
    content = header + b"\n".join(lines)
    path.write_bytes(content)
    try:
        report = open_report(path)
    except DataError as error:
        assert error.message.startswith(str(path))
        return
    rows = list(report.rows())
    body = content.removeprefix(b"\xef\xbb\xbf")
    wanted = body.split(b"\n") if body else []
    wanted = wanted[:-1] if wanted[-1:] == [b""] else wanted
    wanted = wanted[1:] if report.header is not None else wanted
    raws = [row.raw.encode("utf-8", "surrogateescape") for row in rows]
    ending = report.newline.encode()[:-1]
    assert [raw.removesuffix(b"\r") for raw in raws] == [
        line.removesuffix(ending).removesuffix(b"\r") for line in wanted
    ]


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
@pytest.mark.parametrize(
    ("name", "form", "count"),
    [
        ("ase22_ansible_oracle.csv", "2022", 74),
        ("ase22_ansible_sample.csv", "2022", 42),
        ("ase22_ansible_sample.linter", "linter-2022", 42),
        ("ase22_chef_oracle.csv", "2022", 165),
        ("ase22_chef_sample.csv", "2022", 12),
        ("ase22_chef_sample.linter", "linter-2022", 12),
        ("v2.0.0_chef_sample.csv", "v2", 1),
        ("v2.0.0_chef_sample.linter", "linter", 1),
        ("main_21db8c4/ansible-docker.csv", "v2", 4),
        ("main_21db8c4/apache.csv", "v2", 75),
        ("main_21db8c4/clean.csv", "v2", 0),
        ("main_21db8c4/gha.csv", "v2", 1),
        ("main_21db8c4/linter.txt", "linter", 41),
        ("main_21db8c4/mixed.csv", "v2", 41),
        ("main_21db8c4/mysql.csv", "v2", 34),
        ("main_21db8c4/stdout-mixed.csv", "v2", 41),
        ("main_21db8c4/terragoat.csv", "v2", 184),
    ],
)
def test_real_reports(name: str, form: CsvFormat, count: int) -> None:
    """Every line is a row of a known smell, or what GLITCH prints around them."""
    report = open_report(REAL_DATA / "glitch_output" / name)
    rows = list(report.rows())
    found = [row for row in rows if isinstance(row, Detection)]
    assert report.format == form
    assert len(found) == count
    assert all(row.smell for row in found)
    assert all(row.is_talk for row in rows if isinstance(row, BadRow))


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ase22_ansible_sample.plain", "form for people"),
        ("v2.0.0_chef_sample.plain", "form for people"),
        ("main_21db8c4/plain.txt", "form for people"),
        ("main_21db8c4/terragoat.csv.stdout", "statistics alone, which count 184"),
        ("v2.0.0_chef_sample.csv.stdout", "statistics alone, which count 1"),
    ],
)
def test_real_output_that_is_no_report(name: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        open_report(REAL_DATA / "glitch_output" / name, may_be_empty=True)
    assert "glitch lint --csv" in (caught.value.hint or "")
