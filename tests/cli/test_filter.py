"""iacfilter-filter's flags: what makes no sense is said before any model is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iacfilter_hpc.cli.filter import main
from tests.detections.verdicts import write_all
from tests.made_models import make_final
from tests.made_runs import DEMO


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command line that lacks nothing but the weights."""
    report, scripts = write_all(tmp_path)
    make_final(tmp_path / "final", DEMO["train"], DEMO["validation"])
    return [str(report.path), "--scripts", str(scripts.folder), "--model", f"{tmp_path}/final"]


def refused(capsys: pytest.CaptureFixture[str], words: list[str], code: int = 2) -> str:
    """What is said on stderr, and nothing else."""
    assert main(words) == code
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--threshold", "1"], "'1' is not a number between 0 and 1"),
        (["--threshold", "nan"], "'nan' is not a number between 0 and 1"),
        (["--min-recall", "0"], "'0' is not a share above 0 and up to 1"),
        (["--min-recall", "95%"], "'95%' is not a share above 0 and up to 1"),
        (["--min-recall", "0.9", "--threshold", "0.1"], "not allowed with argument"),
    ],
)
def test_numbers_out_of_range(
    capsys: pytest.CaptureFixture[str], words: list[str], flags: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, *flags])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--bare", "--annotate"], "error: --bare leaves away the marks that --annotate is for"),
        (["--omit-suppressed"], "error: --omit-suppressed is about --sarif, which is not given"),
        (["--technology", " "], "error: --technology ' ' is not a name"),
        (["-o", "out", "--sarif", "./out"], "error: --output and --sarif name the same file"),
        (["-o", "missing/out"], "error: --output missing/out: there is no directory missing"),
        (["-o", "."], "error: --output . is a directory"),
        (["--sarif", "/dev/null"], "error: --sarif /dev/null is no regular file, and cannot be"),
        (["-o", "glitch.csv"], "error: --output glitch.csv is an input\nhint: it would be overw"),
        (["--sarif", "link.csv"], "error: --sarif link.csv is an input\nhint: it would be overw"),
        (["--scripts", "nowhere"], "error: --scripts nowhere is not a directory"),
        (["--model", "nowhere"], "error: no run nowhere under "),
        (["--model", "scripts"], "error: {folder}/scripts holds no trained model"),
    ],
)
def test_what_makes_no_sense(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    flags: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link.csv").symlink_to("glitch.csv")
    before = Path("glitch.csv").read_bytes()
    assert main([*words, *flags]) in (1, 2)
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith(says.replace("{folder}", str(tmp_path)))
    assert Path("glitch.csv").read_bytes() == before


def test_reports_that_are_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    empty, odd, fifo = tmp_path / "empty", tmp_path / "odd", tmp_path / "fifo"
    empty.touch()
    odd.write_text("a,b\nc,d\n")
    os.mkfifo(fifo)
    assert refused(capsys, [str(empty), *words[1:]], 1).startswith(f"error: {empty} is empty")
    assert refused(capsys, [str(odd), *words[1:]], 1).startswith(f"error: {odd} has no row PATH,")
    for path in (tmp_path, fifo):
        said = refused(capsys, [str(path), *words[1:]])
        assert said == f"error: {path} is no regular file: a report is read more than once\n"
    missing = refused(capsys, [str(tmp_path / "none"), *words[1:]], 1)
    assert "cannot be read: No such file" in missing


def test_a_packages_absence_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr("iacfilter_hpc.cli.filter_run.PACKAGES", ["torch_of_nobody"])
    said = refused(capsys, words, 1)
    assert "lacks torch_of_nobody" in said and "hint: pip install 'iacfilter-hpc[train]'" in said
