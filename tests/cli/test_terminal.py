"""iacfilter_hpc.cli.terminal and what all commands share: flags, errors, pipes, colours."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc import __version__
from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import IacfilterError, UsageError
from tests.cli.commands import COMMANDS, PROGRAMS, iacfilter
from tests.conftest import Golden
from tests.fake_slurm import FakeSlurm
from tests.made_runs import MadeRuns


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its help differently")
@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, golden: Golden) -> None:
    done = iacfilter(command, "--help", COLUMNS="100")
    assert (done.returncode, done.stderr) == (0, "")
    golden(f"{command}.help", done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_version(command: str) -> None:
    done = iacfilter(command, "--version")
    assert (done.returncode, done.stdout) == (0, f"iacfilter-{command} {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_flag_is_a_usage_error(command: str) -> None:
    done = iacfilter(command, "--no-such-flag")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"iacfilter-{command}: error: " in done.stderr


def test_flags_are_not_abbreviated() -> None:
    assert iacfilter("status", "--exit").returncode == 2


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (IacfilterError("it broke"), 1, "error: it broke\n"),
        (UsageError("one\ntwo", hint="do x"), 2, "error: one\nerror: two\nhint: do x\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            1,
            "error: /x: Permission denied\n",
        ),
        (OSError(errno.ENOSPC, "No space left"), 1, "error: the system: No space left\n"),
    ],
)
def test_errors_become_words_and_codes(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> int:
        raise error

    assert terminal.run(broken) == code
    assert capsys.readouterr() == ("", said)


def test_our_own_bugs_keep_their_traceback() -> None:
    def broken() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        terminal.run(broken)


def test_a_person_can_ask_for_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise UsageError("it broke")

    monkeypatch.setenv("IACFILTER_TRACEBACK", "1")
    with pytest.raises(UsageError):
        terminal.run(broken)


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["logs", "--json"]])
def test_a_reader_that_has_seen_enough_is_no_error(made: MadeRuns, arguments: list[str]) -> None:
    for number in range(30):
        made.job(made.run(f"run-{number}"), "1", executor="local")
    command, *rest = arguments
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / f"iacfilter-{command}"), *rest],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("failure", "code"), [(None, 0), (2, 2)])
def test_an_answer_that_nobody_reads_is_not_a_clean_one(failure: int | None, code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = "from iacfilter_hpc.cli import terminal\n"
    program += f"raise SystemExit(terminal.run(lambda: print('x') or 1, failure={failure}))\n"
    done = subprocess.run([sys.executable, "-c", program], stdout=writing, check=False)
    os.close(writing)
    assert done.returncode == code


def test_a_full_disk_is_named() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / "iacfilter-status"), "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


PRINTS = """
from iacfilter_hpc.cli import terminal
def command():
    print("caf\\u00e9 \\u20ac \\udcff")
    terminal.say("caf\\u00e9 \\u20ac \\udcff")
    return 0
raise SystemExit(terminal.run(command))
"""


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("ascii", b"caf\\xe9 \\u20ac \\udcff\n"),
        ("latin-1", b"caf\xe9 \\u20ac \\udcff\n"),
        ("utf-8", b"caf\xc3\xa9 \xe2\x82\xac \\udcff\n"),
    ],
)
def test_a_name_that_the_encoding_lacks_is_shown_all_the_same(encoding: str, said: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTS],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, said, said)


def in_a_terminal(*command: str) -> str:
    """What a command writes to a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave) as process:
        os.close(slave)
        written = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the terminal's other end is closed
                part = b""
            if not part:
                break
            written += part
        process.wait()
    os.close(master)
    return written.decode()


def test_only_a_terminal_gets_colours(
    fake_slurm: FakeSlurm, made: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.job(made.run("mine"))
    fake_slurm.queue(("7", "mine", "RUNNING"))
    program = (sys.executable, str(PROGRAMS / "iacfilter-status"))
    assert "\033[36mRUNNING\033[0m" in in_a_terminal(*program)
    assert "\033" not in iacfilter("status").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    plain = in_a_terminal(*program)
    assert "RUNNING" in plain
    assert "\033" not in plain


def test_a_table_is_aligned() -> None:
    made = terminal.table(["NAME", "N"], [["a", "1"], ["long name", "100"]], ["N"])
    assert made == "NAME         N\na            1\nlong name  100"
