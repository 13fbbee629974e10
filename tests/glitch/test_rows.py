"""iacfilter_hpc.glitch.rows: each row with the place of its bytes, whatever the bytes are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.report import BadRow, Detection, open_report
from iacfilter_hpc.glitch.rows import PIECE, Row, header_span, read_rows
from iacfilter_hpc.samples.byte_lines import BOM, MAX_ROW_BYTES

OLD = b"a/b.yml,3,sec_https,url:'http://x'"
HEADER = b"PATH,LINE,ERROR"


def bytes_of(path: Path, row: Row) -> bytes:
    return path.read_bytes()[row.span.start : row.span.start + row.span.size]


def test_a_row_is_its_line_without_the_end(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(OLD + b"\n" + OLD + b"\r\n\nbroken\n" + OLD)
    rows = list(read_rows(open_report(path)))
    assert [bytes_of(path, row) for row in rows] == [OLD, OLD, b"", b"broken", OLD]
    assert [row.span.ending for row in rows] == [b"\n", b"\r\n", b"\n", b"\n", b""]
    assert [isinstance(row.found, Detection) for row in rows] == [True, True, False, False, True]
    assert [row.is_blank for row in rows] == [False, False, True, False, False]


def test_header_and_byte_order_mark_are_no_part_of_a_row(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(BOM + HEADER + b"\r\na.rb,1,use of http\r\n")
    report = open_report(path)
    (row,) = read_rows(report)
    assert bytes_of(path, row) == b"a.rb,1,use of http"
    header = header_span(report)
    assert path.read_bytes()[header.start :][: header.size] == HEADER
    assert header.ending == b"\r\n"
    path.write_bytes(BOM + OLD)
    (row,) = read_rows(open_report(path))
    assert bytes_of(path, row) == OLD


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, MAX_ROW_BYTES + 5])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_a_long_row_has_its_whole_length(tmp_path: Path, size: int, ending: bytes) -> None:
    path = tmp_path / "report.csv"
    long = OLD.ljust(size, b"x")
    path.write_bytes(OLD + b"\n" + long + ending)
    first, second = read_rows(open_report(path))
    assert (second.span.size, second.span.ending) == (size, ending)
    assert isinstance(second.found, BadRow) is (size > MAX_ROW_BYTES)
    assert bytes_of(path, first) == OLD


@given(
    lines=st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=6),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=6, max_size=6),
    cut=st.integers(0, 3),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_byte_is_lost(tmp_path: Path, lines: list[bytes], ends: list[bytes], cut: int) -> None:
    """Whatever stands in a file, its rows and their ends are all of it, in order."""
    path = tmp_path / "report.csv"
    body = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    path.write_bytes(OLD + b"\n" + body[: len(body) - cut])
    rows = list(read_rows(open_report(path)))
    assert b"".join(bytes_of(path, row) + row.span.ending for row in rows) == path.read_bytes()
    assert [row.found.row for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        # where the line ends differ inside a file, raw keeps the carriage return
        raw = row.found.raw.encode("utf-8", "surrogateescape")
        assert raw.rstrip(b"\r") == bytes_of(path, row).rstrip(b"\r")


@pytest.mark.parametrize("after", [b"", OLD + b"\n", (OLD + b"\n") * 19999])
def test_a_report_that_is_cut_short_meanwhile_is_an_error(tmp_path: Path, after: bytes) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes((OLD + b"\n") * 20000)
    rows = read_rows(open_report(path))
    next(rows)
    path.write_bytes(after)
    with pytest.raises(DataError, match="changed while it was read"):
        for _ in rows:
            pass


def test_a_report_that_grows_as_it_is_read_comes_to_an_end(tmp_path: Path) -> None:
    """As when the reader's own output is appended to it: no more is read than there was."""
    path = tmp_path / "report.csv"
    path.write_bytes((OLD + b"\n") * 5)
    count = 0
    with pytest.raises(DataError, match="changed while it was read"):
        for _ in read_rows(open_report(path)):
            count += 1
            assert count <= 5
            with path.open("ab") as growing:
                growing.write((OLD + b"\n") * 3)
    assert count == 5
