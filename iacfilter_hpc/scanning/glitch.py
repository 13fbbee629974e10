"""GLITCH, the program: found, asked which version it is, and run on one technology's scripts.

Two traps. PyPI's `glitch` is another project: the one that is meant is on GitHub only, so a program
of that name is asked for the flags that it must have before any script is given to it. And exit
status 0 says little: a script that GLITCH cannot parse is a line `Error: ...` on stderr.
Source: sr-lab/GLITCH, glitch/__main__.py and glitch/exceptions.py, v2.0.0 and 21db8c4.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import IacfilterError, UsageError
from iacfilter_hpc.runs.layout import absolute

HOME = "https://github.com/sr-lab/GLITCH"
INSTALL = (
    f"python3 -m venv ~/glitch && ~/glitch/bin/pip install 'glitch @ git+{HOME}@v2.0.0'\n"
    f"then its Rego library, as {HOME}#rego says, and --glitch ~/glitch/bin/glitch\n"
    "PyPI's package glitch is another project, so `pip install glitch` does not help"
)
NEEDED = ("--folder-strategy", "--smell-types", "--csv")
"""Flags of `glitch lint` from v2.0.0 on; v1 has no command lint."""
# version 2.0.0 names v2.0.0 and all that came after it, so the commit is told where pip noted it
VERSION = """\
import json
from importlib.metadata import distribution
found = distribution("glitch")
origin = json.loads(found.read_text("direct_url.json") or "{}").get("vcs_info", {})
print(found.version, origin.get("commit_id", "")[:7])
"""
BLOCK = re.compile(r"^=+ Traceback =+$.*?^=+$", re.MULTILINE | re.DOTALL)
# a progress bar may stand on the same line, before it
ERROR = re.compile(r"(?<!\w)Error: (.+)$", re.MULTILINE)
LAST_LINES = 5


@dataclass(frozen=True, slots=True)
class Glitch:
    """Program with the words that start it, and its version, "" where that cannot be told."""

    argv: tuple[str, ...]
    version: str

    @property
    def shown(self) -> str:
        """Name and version for people."""
        return f"GLITCH {self.version}" if self.version else "GLITCH of unknown version"

    def lint(self, technology: str, folder: Path, rows: Path) -> list[str]:
        """Write the rows of all scripts of a technology in a folder, and return what went wrong.

        Their paths begin with `./`.

        Raises:
            IacfilterError: it did not end well, or wrote no report.
        """
        flags = ["--tech", technology, "--csv", "--folder-strategy", "include-all"]
        done = subprocess.run(
            [*self.argv, "lint", *flags, "--smell-types", "security", ".", str(rows)],
            # GLITCH's own parser generators write files where they are started
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        said = _text(done.stderr)
        if done.returncode or not rows.is_file():
            raise _failed(self, technology, done.returncode, said or _text(done.stdout))
        # its Rego engine complains on stdout, where the statistics are
        return [*complaints(said), *complaints(_text(done.stdout))]


def find_glitch(named: Path | None) -> Glitch:
    """GLITCH as named, else the program on PATH, else the module of this Python.

    Raises:
        UsageError: there is none where it is named.
        IacfilterError: it is not installed, or what bears its name is another program.
    """
    argv = _named(named) if named else _installed()
    _check_flags(argv)
    return Glitch(argv, _version(argv))


def complaints(said: str) -> list[str]:
    """What GLITCH says of scripts that it could not parse, one text each, tracebacks left out."""
    # carriage returns are those of its progress bar
    lines = BLOCK.sub("", said.replace("\r", "\n"))
    return [match[1].strip() for match in ERROR.finditer(lines)]


def _named(path: Path) -> tuple[str, ...]:
    # made absolute, as GLITCH is started in another directory; links stay, which venvs have
    found = shutil.which(absolute(path.expanduser()))
    if found is None:
        raise UsageError(
            f"--glitch {path} is no program that can be run",
            hint="name GLITCH's own script, such as ~/glitch/bin/glitch",
        )
    return (str(found),)


def _installed() -> tuple[str, ...]:
    if found := shutil.which("glitch"):
        return (str(absolute(Path(found))),)
    if importlib.util.find_spec("glitch"):
        # -P: nothing of the scanned folder is imported in place of a module
        return (sys.executable, "-P", "-m", "glitch")
    raise IacfilterError(
        "GLITCH is not installed: there is no program glitch on PATH and no module of that name",
        hint=INSTALL,
    )


def _check_flags(argv: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(
            [*argv, "lint", "--help"],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise IacfilterError(f"{argv[0]} cannot be run: {error.strerror}", hint=INSTALL) from error
    if missing := [flag for flag in NEEDED if flag not in _text(done.stdout)]:
        said = "".join(f"\n  {line}" for line in _last(_text(done.stderr)))
        raise IacfilterError(
            f"{' '.join(argv)} is not GLITCH 2: `lint --help` does not name "
            f"{', '.join(missing)}{said}",
            hint=INSTALL,
        )


def _version(argv: tuple[str, ...]) -> str:
    python = sys.executable if "-m" in argv else _interpreter(Path(argv[0]))
    if python is None:
        return ""
    done = subprocess.run(
        [python, "-c", VERSION], env=_environment(), capture_output=True, text=True, check=False
    )
    version, _, commit = done.stdout.strip().partition(" ")
    return f"{version} ({commit})" if commit else version


def _interpreter(script: Path) -> str | None:
    """The Python that a script of a venv names in its first lines, None where it names none."""
    with script.open("rb") as file:
        head = file.read(1024)
    # pip writes a long path as: #!/bin/sh, then '''exec' "/long/path/python" "$0" "$@"
    found = re.match(rb"#!(?:/bin/sh\n'''exec' \"?)?(/[^\n\"]*?/python[0-9.]*)[\"\s]", head)
    return os.fsdecode(found[1]) if found else None


def _environment() -> dict[str, str]:
    # else a runner whose locale is C gives GLITCH an encoding that most names do not fit in
    return {**os.environ, "PYTHONUTF8": "1"}


def _failed(glitch: Glitch, technology: str, code: int, said: str) -> IacfilterError:
    how = f"ended with exit code {code}" if code else "wrote no report"
    lines = [f"{glitch.shown} {how} on the scripts of {technology}", *_last(said)]
    return IacfilterError("\n".join(lines), hint=f"try it by hand: {' '.join(glitch.argv)} lint")


def _last(said: str) -> Iterator[str]:
    lines = [line for line in said.replace("\r", "\n").splitlines() if line.strip()]
    yield from lines[-LAST_LINES:]


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")
