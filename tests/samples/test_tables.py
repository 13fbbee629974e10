"""A smell and a technology are one row each: whoever adds one edits one file, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import iacfilter_hpc

PACKAGE = Path(iacfilter_hpc.__file__).parent

SMELL = """
    Smell(
        name="world_writable_file",
        title="world-writable file",
        words=("Any user can write",),
        level="error",
        severity=7.1,
        meaning="A file can be written by every user.",
        tp="the mode lets others write.",
        fp="the digits are no mode.",
        rules=(Rule("sec_world_write", "World writable - Others may write. (CWE-732)"),),
        is_filtered=True,
    ),
"""
TECHNOLOGY = """
    Technology("bicep", "Bicep", (".bicep",)),
"""
SCRIPT = "resource x {\n  file_permission: '0777'\n}\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that a test may edit; its parent goes before everything else."""
    shutil.copytree(
        PACKAGE, tmp_path / "copy" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path / "copy" / PACKAGE.name


def add_row(module: Path, table: str, row: str) -> None:
    """Put a row at the end of a table, as an editor would."""
    before, begin, after = module.read_text().partition(f"\n{table} = (\n")
    rows, end, rest = after.partition("\n)\n")
    assert begin and end, f"{module} has no table {table}"
    module.write_text(f"{before}{begin}{rows}\n{row.strip(chr(10))}{end}{rest}")


def python(package: Path, program: str, *argv: str) -> str:
    """What a fresh Python prints that imports the copy."""
    done = subprocess.run(
        [sys.executable, "-c", program, *argv],
        cwd=package.parent,
        env=os.environ | {"PYTHONPATH": str(package.parent), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


DATA = "import sys; from iacfilter_hpc.cli.data.__main__ import main; sys.exit(main(sys.argv[1:]))"


def imported(package: Path, *flags: str) -> str:
    """The samples that iacfilter-data import makes of one row about one script."""
    folder = package.parent / "scripts"
    folder.mkdir()
    (folder / "main.bicep").write_text(SCRIPT)
    report = package.parent / "report.csv"
    report.write_text("main.bicep,2,sec_world_write,file_permission\n")
    samples = package.parent / "samples.jsonl"
    python(
        package, DATA, "import", str(report), "--scripts", str(folder), "-o", str(samples), *flags
    )
    return samples.read_text()


def test_a_smell_is_one_row(package: Path) -> None:
    add_row(package / "samples" / "smells.py", "SMELLS", SMELL)
    made = imported(package, "--technology", "ansible")
    assert '"smell": "world_writable_file"' in made
    # the prompt
    assert r"Smell: world-writable file. A file can be written by every user.\n" in made
    assert r"\nGLITCH's rule: World writable. Others may write.\nTP: the mode lets" in made
    # the flags' choices and defaults
    shown = python(package, DATA, "import", "--help")
    assert shown.count("world_writable_file") == 2
    # a SARIF log's rules, and the other names
    rules = (
        "from iacfilter_hpc.glitch.sarif import INDEX, Rules, level_of\n"
        "from iacfilter_hpc.samples.smells import smell_of_words\n"
        "name = smell_of_words('any user can write')\n"
        "rule = Rules().document()[INDEX['sec_world_write']]\n"
        "print(name, rule['id'], rule['name'], rule['helpUri'], level_of(name))"
    )
    assert python(package, rules).strip() == (
        "world_writable_file sec_world_write WorldWritable "
        "https://cwe.mitre.org/data/definitions/732.html error"
    )


def test_a_technology_is_one_row(package: Path) -> None:
    add_row(package / "samples" / "smells.py", "SMELLS", SMELL)
    add_row(package / "samples" / "technologies.py", "TECHNOLOGIES", TECHNOLOGY)
    made = imported(package)
    assert '"technology": "bicep"' in made
    assert r"\nTechnology: Bicep\nFile: main.bicep" in made
    # what is taken for a script, and what for a slip
    known = (
        "from iacfilter_hpc.samples.technologies import NAMES, technology_of\n"
        "print(NAMES[-1], technology_of('a/MAIN.BICEP'))"
    )
    assert python(package, known).strip() == "bicep bicep"
