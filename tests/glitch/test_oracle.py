"""iacfilter_hpc.glitch.oracle: labels by file, line and category; no label by silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.oracle import Oracle, OracleLabel, read_oracle
from tests.samples.made import write

HEADER = b"PATH,LINE,CATEGORY,AGREEMENT\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"a.yml": b"x", "b.yml": b"x", "d/c, d.yml": b"x", "unseen.yml": b"x"}
    return write(tmp_path / "scripts", files)


def oracle_of(folder: Path, content: bytes) -> Oracle:
    path = folder.parent / "oracle.csv"
    path.write_bytes(content)
    return read_oracle(path, folder)


def problems(folder: Path, content: bytes) -> list[str]:
    with pytest.raises(DataError) as caught:
        oracle_of(folder, content)
    return [
        line.removeprefix(f"{folder.parent / 'oracle.csv'}:")
        for line in caught.value.message.splitlines()
    ]


def test_a_detection_is_tp_where_the_oracle_names_it(folder: Path) -> None:
    rows = b"a.yml,3,Hard-coded secret,2\na.yml,3,Admin by default,3\nb.yml,0,none,3\n"
    oracle = oracle_of(folder, HEADER + rows)
    assert oracle.label_of("a.yml", 3, "hard_coded_secret") == OracleLabel("TP", 0.667)
    assert oracle.label_of("a.yml", 3, "admin_by_default") == OracleLabel("TP", 1.0)
    assert oracle.label_of("a.yml", 4, "hard_coded_secret") == OracleLabel("FP", None)
    assert oracle.label_of("a.yml", 3, "use_of_http") == OracleLabel("FP", None)
    assert oracle.label_of("b.yml", 1, "use_of_http") == OracleLabel("FP", None)
    assert oracle.label_of("unseen.yml", 1, "use_of_http") is None
    assert oracle.missing == ()


@pytest.mark.parametrize(
    ("category", "smell"),
    [
        ("Hard-coded secret", "hard_coded_secret"),
        ("Suspicious comment", "suspicious_comment"),
        ("Use of HTTP without SSL/TLS", "use_of_http"),
        ("Use of weak cryptography algorithms", "weak_cryptography_algorithms"),
        ("Admin by default", "admin_by_default"),
        ("Empty password", "empty_password"),
        ("Unrestricted IP Address", "unrestricted_ip_address"),
        ("No integrity check", "no_integrity_check"),
        ("Missing Default in Case Statement", "missing_default_case"),
        ("sec_https", "use_of_http"),
        ("use_of_http", "use_of_http"),
    ],
)
def test_categories(folder: Path, category: str, smell: str) -> None:
    oracle = oracle_of(folder, HEADER + f"a.yml,1,{category},1\n".encode())
    assert oracle.label_of("a.yml", 1, smell) == OracleLabel("TP", 0.333)


def test_the_prefix_is_the_oracles_own(folder: Path) -> None:
    rows = (
        b'o/a.yml,1,none,3\n"o/d/c, d.yml",2,Empty password,3\no/gone.yml,0,none,1\n../x,0,none,1\n'
    )
    oracle = oracle_of(folder, HEADER + rows)
    assert oracle.files == {"a.yml", "d/c, d.yml"}
    assert oracle.missing == ("o/gone.yml", "../x")
    assert oracle.label_of("d/c, d.yml", 2, "empty_password") == OracleLabel("TP", 1.0)


def test_columns_come_in_any_order_with_bom_and_crlf(folder: Path) -> None:
    content = b"\xef\xbb\xbfAGREEMENT,x,Line,path,category\r\n3,,7,a.yml,Empty password\r\n"
    assert oracle_of(folder, content).agreement == {("a.yml", 7, "empty_password"): 3}


def test_of_two_entries_the_larger_agreement_counts(folder: Path) -> None:
    rows = b"a.yml,1,Empty password,3\na.yml,1,Empty password,1\n"
    assert oracle_of(folder, HEADER + rows).agreement == {("a.yml", 1, "empty_password"): 3}


def test_all_wrong_rows_are_named_at_once(folder: Path) -> None:
    rows = (
        b"a.yml,1,Hard-coded secert,2\n"
        b"a.yml,1,Empty password,2\n"
        b"a.yml,0,Empty password,2\n"
        b"a.yml,x,Empty password,2\n"
        b"a.yml,1,Empty password,4\n"
        b"a.yml,1,Empty password,\n"
        b"a.yml,1,Empty password\n"
        b",1,Empty password,2\n"
        b"a.yml,-1,Empty password,2\n"
    )
    assert problems(folder, HEADER + rows) == [
        "2: CATEGORY 'Hard-coded secert' is unknown",
        "4: LINE is '0', not a line number from 1",
        "5: LINE is 'x', not a line number from 1",
        "6: AGREEMENT is '4', not a number of raters from 1 to 3",
        "7: AGREEMENT is '', not a number of raters from 1 to 3",
        "8: it has more or fewer columns than the header",
        "9: PATH is empty",
        "10: LINE is '-1', not a line number from 1",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "1: no column PATH, LINE, CATEGORY, AGREEMENT"),
        (b"PATH,LINE,ERROR\na.yml,1,use of http\n", "1: no column CATEGORY, AGREEMENT"),
        (b"a.yml,1,sec_https,x\n", "1: no column PATH, LINE, CATEGORY, AGREEMENT"),
        (HEADER + b'"a"b.yml,1,none,3\n', "2: not CSV: ',' expected after '\"'"),
        (HEADER + b'"a.yml,1,none,3\n', "2: not CSV: unexpected end of data"),
        (HEADER + b"a" * 2**20 + b",1,none,3\n", "2: not CSV: field larger than field limit"),
    ],
)
def test_what_is_no_oracle(folder: Path, content: bytes, problem: str) -> None:
    (found,) = problems(folder, content)
    assert found.startswith(problem)


def test_bytes_that_are_no_utf_8_name_the_file_they_name(folder: Path) -> None:
    (folder / "caf\udce9.yml").write_bytes(b"x")
    oracle = oracle_of(folder, HEADER + b"caf\xe9.yml,1,Empty password,3\n")
    assert oracle.files == {"caf\udce9.yml"}


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    for path, why in ((folder, "Is a directory"), (folder / "none", "No such file")):
        with pytest.raises(DataError, match=why):
            read_oracle(path, folder)
