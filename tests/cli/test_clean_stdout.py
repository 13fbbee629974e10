"""stdout holds the answer alone, whatever else is written to its file descriptor meanwhile."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
from iacfilter_hpc.cli.terminal import talk_on_stderr
print("before")
try:
    with talk_on_stderr():
        print("[WARNING] from Python, still in a buffer")
        os.write(1, b"from C\\n")
        os.system("echo from a child")
        raise ValueError
except ValueError:
    print("after")
"""


def test_talk_goes_to_stderr_and_the_answer_does_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "before\nafter\n"
    assert sorted(done.stderr.splitlines()) == [
        "[WARNING] from Python, still in a buffer",
        "from C",
        "from a child",
    ]
