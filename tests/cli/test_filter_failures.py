"""iacfilter-filter when it cannot go on: no output appears, and nothing is left behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from iacfilter_hpc.cli.judging.filter import main
from iacfilter_hpc.filtering import filter as filtering_of_rows
from iacfilter_hpc.filtering.filter import Filter
from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.rows import Row
from tests.cli.commands import PROGRAMS
from tests.filtering.unguarded import unguarded
from tests.glitch.made_decisions import ROWS, write_all
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS

pytestmark = TRAINS
MANY = 10_000


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_encoder_final(tmp_path_factory.mktemp("encoder") / "final")


@pytest.fixture
def words(tmp_path: Path, final: Path) -> list[str]:
    report, scripts = write_all(tmp_path)
    flags = unguarded()
    return [str(report.path), "--scripts", str(scripts.folder), *flags, "--model", str(final)]


@pytest.fixture
def long(words: list[str]) -> list[str]:
    """A report that takes a while: no line is like another."""
    lines = [f"url: http://{number}.example/{number}\n" for number in range(MANY)]
    (Path(words[2]) / "long.yml").write_text("".join(lines))
    rows = [f"work/long.yml,{number},sec_https,url\n" for number in range(1, MANY + 1)]
    Path(words[0]).write_text("".join(rows))
    return words


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Where outputs go; one is there from an earlier run."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "out.csv").write_text("before")
    return folder


def to(folder: Path) -> list[str]:
    return ["-o", str(folder / "out.csv"), "--sarif", str(folder / "out.sarif")]


def is_untouched(folder: Path) -> bool:
    """Only what was there before, and no temporary file."""
    names = [path.name for path in folder.iterdir()]
    return names == ["out.csv"] and (folder / "out.csv").read_text() == "before"


def wait_for(happened: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def filtering(words: list[str], stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    program = [sys.executable, str(PROGRAMS / "iacfilter-filter"), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=stderr, env=environment, stdin=subprocess.DEVNULL
    )
    with running:
        try:
            yield running
        finally:
            running.kill()


def is_half_written(folder: Path) -> bool:
    return any(path.stat().st_size > 0 for path in folder.glob(".out.csv.*"))


def test_ctrl_c_leaves_nothing_half_written(long: list[str], results: Path) -> None:
    """Pressed while rows are being written, by a person who looks on."""
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 80))
    with filtering([*long, *to(results), "--annotate"], stderr) as running:
        os.close(stderr)
        wait_for(lambda: is_half_written(results), seconds=200)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    said = read_all(terminal)
    assert is_untouched(results)
    assert f"/{MANY}" in said and "rows/s" in said, "a progress bar"
    assert said.splitlines()[-1].endswith("interrupted")
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_it_alike(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    results: Path,
    number: signal.Signals,
) -> None:
    """Of a scheduler, or of a terminal that goes away."""
    before = signal.getsignal(number)
    judge = Filter.judge

    def judge_and_be_told_to_end(self: Filter, rows: Iterable[Row]) -> Iterator[list[DecidedRow]]:
        yield from judge(self, rows)
        assert not is_untouched(results)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Filter, "judge", judge_and_be_told_to_end)
    assert main([*words, *to(results), "--annotate"]) == 130
    assert capfd.readouterr().err == "interrupted\n"
    assert is_untouched(results)
    assert signal.getsignal(number) == before


def read_all(terminal: int) -> str:
    """What has been written to a terminal whose other end is closed."""
    parts = []
    try:
        while part := os.read(terminal, 4096):
            parts.append(part)
    except OSError:
        # how Linux says that the other end is closed
        pass
    finally:
        os.close(terminal)
    return b"".join(parts).decode()


@pytest.mark.parametrize("output", ["out.csv", "out.sarif"])
def test_a_full_disk_leaves_nothing(
    capfd: pytest.CaptureFixture[str],
    full_disk: Path,
    long: list[str],
    results: Path,
    output: str,
) -> None:
    """The disk is full while rows are written, or only when all of them are to be stored."""
    flags = to(results)
    place = flags.index(str(results / output))
    flags[place] = str(full_disk / output)
    Path(long[0]).write_text("".join(Path(long[0]).read_text().splitlines(True)[:1500]))
    assert main([*long, *flags, "--annotate"]) == 1
    said = capfd.readouterr()
    assert said.err == f"error: {full_disk / output}: No space left on device\n"
    assert is_untouched(results) and not list(full_disk.iterdir())


def test_a_folder_that_takes_no_file_is_named_at_once(
    capfd: pytest.CaptureFixture[str], words: list[str], results: Path
) -> None:
    """/proc takes none, not even root's."""
    flags = ["-o", str(results / "out.csv"), "--sarif", "/proc/out.sarif"]
    assert main([*words, *flags]) == 1
    assert capfd.readouterr().err.startswith("error: /proc/out.sarif: ")
    assert is_untouched(results)


def test_a_full_standard_output_is_an_error(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    results: Path,
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([*words, "--sarif", str(results / "out.sarif")]) == 1
    assert capfd.readouterr().err == "error: standard output: No space left on device\n"
    assert is_untouched(results)


@pytest.mark.parametrize("flag", ["--sarif", "--fail-on-findings"])
def test_a_reader_that_leaves_takes_no_decision_with_it(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    results: Path,
    flag: str,
) -> None:
    """`| head` must not let a pipeline pass, nor end with half of a log."""
    flags = [flag] if flag != "--sarif" else [flag, str(results / "out.sarif")]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        # under --fail-on-findings 1 would mean findings
        assert main([*words, *flags]) == (2 if flag == "--fail-on-findings" else 1)
    said = capfd.readouterr().err
    assert said.startswith("error: the reader of standard output stopped before the end")
    assert is_untouched(results)


def test_a_reader_that_has_seen_enough_is_no_error(long: list[str]) -> None:
    with filtering([*long, "--annotate"], subprocess.PIPE) as running:
        assert running.stdout and running.stderr
        assert running.stdout.readline().startswith(b"work/long.yml,1,sec_https,url,")
        running.stdout.close()
        assert running.wait(60) == 0
        assert b"error" not in running.stderr.read()


def test_a_report_that_is_being_written_is_an_error(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    results: Path,
) -> None:
    """GLITCH still appends to it: what it adds would be missing from the outputs."""
    judge = Filter.judge

    def judge_while_it_grows(self: Filter, rows: Iterable[Row]) -> Iterator[list[DecidedRow]]:
        for number, judged in enumerate(judge(self, rows)):
            if number == 1:
                with Path(words[0]).open("a") as report:
                    report.write(ROWS)
            yield judged

    monkeypatch.setattr(Filter, "judge", judge_while_it_grows)
    monkeypatch.setattr(filtering_of_rows, "ROWS_IN_A_CHUNK", 4)
    assert main([*words, *to(results)]) == 1
    assert f"error: {words[0]} changed while it was read" in capfd.readouterr().err
    assert is_untouched(results)
