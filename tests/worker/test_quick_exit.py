"""A process that is done ends with its own code, whatever its threads do meanwhile."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, logging, os, sys
from iacfilter_hpc.worker.quick_exit import QuickExit

quick_exit = QuickExit()
atexit.register(print, "an exit function ran")

class Teardown:
    def __del__(self):
        os.abort()  # as a thread of gloo does that is ended while it holds a tensor

_teardown = Teardown()
print("not flushed yet")
"""


def end(last_lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + last_lines], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("code", [0, 1])
def test_no_teardown_comes_in_between(code: int) -> None:
    ended = end(f"sys.exit(quick_exit.leave_with({code}))")
    assert ended.returncode == code
    assert ended.stdout == "not flushed yet\nan exit function ran\n"
    assert ended.stderr == ""


def test_without_it_the_teardown_does() -> None:
    assert end("sys.exit(0)").returncode < 0


def test_an_exception_shows_its_traceback() -> None:
    ended = end("del Teardown.__del__; raise ValueError('broken')")
    assert ended.returncode == 1
    assert ended.stderr.endswith("ValueError: broken\n")
