"""iacfilter-filter's flags: what makes no sense is said before any model is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.cli.judging.filter import main
from tests.glitch.made_decisions import write_all
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


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_that_makes_no_sense_is_named_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    report, _, scripts, *_ = words
    flags = ["--bare", "--annotate", "--omit-suppressed", "--technology", " ", "-o", report]
    said = refused(capsys, [str(tmp_path), *words[1:], *flags, "--scripts", "none"])
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: {tmp_path} is no regular file, and it is read more than once",
        "error: --scripts none is not a directory",
        "error: --technology ' ' is not a name",
        "error: --bare leaves out the marks that --annotate is for",
        "error: --omit-suppressed is about --sarif, which is not given",
    ]
    flags = ["-o", f"{scripts}/roles/x/tasks/main.yml", "--sarif", report]
    assert refused(capsys, [*words, *flags]).splitlines() == [
        f"error: --sarif {report} is an input",
        f"error: --output {scripts}/roles/x/tasks/main.yml is a script below --scripts {scripts}",
        "hint: it would be overwritten",
    ]


@pytest.mark.parametrize("flags", [[], ["--json", "-o", "out.csv"]])
def test_the_report_is_no_place_for_standard_output(
    tmp_path: Path, words: list[str], flags: list[str]
) -> None:
    """As with cat: what is appended would be read again, until the disk is full."""
    report = Path(words[0])
    before = report.read_bytes()
    program = [sys.executable, "-m", "iacfilter_hpc.cli.judging.filter", *words, *flags]
    with report.open("ab") as appending:
        done = subprocess.run(
            program, stdout=appending, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {report}: input file is output file, through standard output\n"
        "hint: -o writes the rows to a file of their own\n"
    )
    assert report.read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--bare", "--annotate"], "error: --bare leaves out the marks that --annotate is for"),
        (["--omit-suppressed"], "error: --omit-suppressed is about --sarif, which is not given"),
        (["--technology", " "], "error: --technology ' ' is not a name"),
        (["-o", "out", "--sarif", "./out"], "error: --output and --sarif name the same file"),
        (["-o", "missing/out"], "error: --output missing/out: there is no directory missing"),
        (["-o", "."], "error: --output . is a directory"),
        (["--sarif", "pipe"], "error: --sarif pipe is no regular file, and cannot be replaced\nhi"),
        (
            ["-o", "scripts/roles/x/tasks/main.yml"],
            "error: --output scripts/roles/x/tasks/main.yml",
        ),
        (["--sarif", "link.yml"], "error: --sarif link.yml is a script below --scripts "),
        (["-o", "scripts/data"], "error: --output scripts/data is a script below --scripts "),
        (["-o", "final/out.csv"], "error: --output final/out.csv is inside the model {folder}/fin"),
        (["--sarif", "final/decision.json"], "error: --sarif final/decision.json is inside the mo"),
        (["--sarif", "in-final/x"], "error: --sarif in-final/x is inside the model {folder}/final"),
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
    Path("link.yml").symlink_to("scripts/roles/x/tasks/main.yml")
    Path("in-final").symlink_to("final")
    os.mkfifo("pipe")
    Path("scripts/data").touch()
    with Path("glitch.csv").open("a") as report:
        report.write("work/data,1,sec_https,x\n")
    before = contents(tmp_path)
    assert main([*words, *flags]) in (1, 2)
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith(says.replace("{folder}", str(tmp_path)))
    assert contents(tmp_path) == before


def test_reports_that_are_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    odd, fifo = tmp_path / "odd", tmp_path / "fifo"
    odd.write_text("a,b\nc,d\n")
    os.mkfifo(fifo)
    assert refused(capsys, [str(odd), *words[1:]], 1).startswith(f"error: {odd} has no row PATH,")
    for path in (tmp_path, fifo):
        said = refused(capsys, [str(path), *words[1:]])
        assert said == (
            f"error: {path} is no regular file, and it is read more than once\n"
            "hint: save what a pipe or a device gives to a file, and name that\n"
        )
    missing = refused(capsys, [str(tmp_path / "none"), *words[1:]], 1)
    assert "cannot be read: No such file" in missing


def test_a_packages_absence_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr("iacfilter_hpc.filtering.request.PACKAGES", ["torch_of_nobody"])
    said = refused(capsys, words, 1)
    assert "lacks torch_of_nobody" in said and "hint: pip install 'iacfilter-hpc[train]'" in said
