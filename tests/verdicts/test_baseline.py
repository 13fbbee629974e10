"""iacfilter_hpc.verdicts.baseline: what was there is not shown, and nothing new is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.rows import read_rows
from iacfilter_hpc.verdicts.baseline import Baseline, read_baseline, write_baseline
from tests.glitch.made_decisions import FILES, ROWS, TASKS, write_all
from tests.verdicts.made_verdicts import make_repository

MAIN = "roles/x/tasks/main.yml"
MOVED = TASKS.replace(b"---\n", b"---\n- name: before\n  debug:\n    msg: hello\n")
NEW = MOVED + b"- name: third\n  get_url:\n    url: http://tools.example/a,b.tgz\n"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path) -> None:
    make_repository(tmp_path)


def shown(baseline: Baseline, tmp_path: Path, rows: str = ROWS) -> list[int]:
    """The rows that are new, by their numbers."""
    report, _ = write_all(tmp_path, rows)
    return [row.found.row for row in baseline.only_new(read_rows(report))]


def written(tmp_path: Path) -> Path:
    report, scripts = write_all(tmp_path)
    path = tmp_path / "baseline.jsonl"
    with path.open("wb") as file:
        # two codes are one password; the last rows have no place in a script that is here
        assert write_baseline(file.write, report, scripts) == 8
    return path


def moved_down(lines: int) -> str:
    """The report after so many lines were put above everything in main.yml."""
    rows = []
    for row in ROWS.splitlines():
        path, _, rest = row.partition(",")
        line, _, words = rest.partition(",")
        is_moved = path.endswith("main.yml") and 0 < int(line) < 90
        rows.append(f"{path},{int(line) + lines},{words}" if is_moved else row)
    return "\n".join(rows) + "\n"


def test_nothing_of_the_same_report_is_new_but_what_has_no_place(tmp_path: Path) -> None:
    path = written(tmp_path)
    _, scripts = write_all(tmp_path)
    baseline = read_baseline(path, scripts)
    # no such line, outside the folder, a file that is gone, no row at all
    assert shown(baseline, tmp_path) == [8, 9, 11, 13]
    assert (baseline.rows, baseline.gone, baseline.is_report) == (9, 0, False)


def test_moved_lines_are_known_and_new_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    monkeypatch.setitem(FILES, MAIN, NEW)
    _, scripts = write_all(tmp_path)
    rows = f"{moved_down(3)}work/{MAIN},19,sec_https,url:'http://tools.example/a,b.tgz'\n"
    baseline = read_baseline(path, scripts)
    found = shown(baseline, tmp_path, rows)
    # the file's own row (line -1) is of another file now
    assert found == [8, 9, 10, 11, 13, 14]
    assert baseline.gone == 1


def test_what_is_gone_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path)
    _, scripts = write_all(tmp_path)
    baseline = read_baseline(path, scripts)
    assert shown(baseline, tmp_path, "\n".join(ROWS.splitlines()[:3]) + "\n") == []
    assert (baseline.rows, baseline.gone) == (3, 6)


def test_an_earlier_report_knows_equal_rows_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tmp_path / "before.csv"
    # as a filter has left it, with its columns
    before.write_text("".join(f"{row},TP,0.900000\n" for row in ROWS.splitlines()[:4]))
    _, scripts = write_all(tmp_path)
    baseline = read_baseline(before, scripts)
    assert baseline.is_report
    assert shown(baseline, tmp_path) == list(range(5, 14))
    assert baseline.gone == 0
    monkeypatch.setitem(FILES, MAIN, MOVED)
    again = read_baseline(before, scripts)
    assert shown(again, tmp_path, moved_down(3)) == list(range(1, 14))
    assert again.gone == 4


def test_an_empty_one_knows_nothing_and_is_no_report(tmp_path: Path) -> None:
    _, scripts = write_all(tmp_path)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    baseline = read_baseline(empty, scripts)
    assert len(shown(baseline, tmp_path)) == 13
    assert (baseline.gone, baseline.is_report) == (0, False)


def test_a_damaged_baseline_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    _, scripts = write_all(tmp_path)
    path.write_text(path.read_text() + '{"schema": 1}\n')
    with pytest.raises(DataError, match=r"baseline.jsonl:9: smell is missing; "):
        read_baseline(path, scripts)
