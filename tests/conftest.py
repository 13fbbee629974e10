"""Fixtures of every test: a models tree, runs in it, programs in Slurm's place, golden files.

`pytest --update-golden` rewrites the files of tests/golden from what the code makes now.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fake_slurm import FakeSlurm
from tests.made_runs import MadeRuns

GOLDEN = Path(__file__).parent / "golden"
OURS = ("IACFILTER_MODELS", "IACFILTER_SITE", "IACFILTER_TRACEBACK", "NO_COLOR")

Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden from today's output"
    )


def pytest_configure() -> None:
    """One thread a process: several processes share few cores, and threads that spin starve them.

    Set before torch is imported. The models are tiny: threads would gain nothing alone either.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def plain_signals() -> None:
    """A suite under nohup, or in a shell's background, has inherited signals that are ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them; nothing reaches the network."""
    for name in (*OURS, *(n for n in os.environ if n.startswith(("SBATCH_", "SLURM_JOB")))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # submitit sets up a logger on stdout when it is imported, unless this is set
    monkeypatch.setenv("SUBMITIT_LOG_LEVEL", "NOCONFIG")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with a file of tests/golden, or rewrite that file (--update-golden)."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), "see pytest --update-golden"

    return compare


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """sbatch, squeue, sacct, scancel, scontrol and srun that only note how they were called."""
    made = FakeSlurm(tmp_path / "fake-slurm")
    monkeypatch.setenv("PATH", f"{made.bin}{os.pathsep}{os.environ['PATH']}")
    return made


@pytest.fixture
def no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with no program of Slurm on it, nor any other but git and tail."""
    programs = tmp_path / "no-slurm"
    programs.mkdir()
    for name in ("git", "tail"):
        found = next(
            (p for p in (Path("/usr/bin") / name, Path("/bin") / name) if p.exists()), None
        )
        if found:
            (programs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models tree that every command uses in this test; it does not exist yet."""
    path = tmp_path / "models"
    monkeypatch.setenv("IACFILTER_MODELS", str(path))
    return path


@pytest.fixture
def made(models: Path) -> MadeRuns:
    """Makes runs, with the code that submission uses."""
    return MadeRuns(models)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; `mount -o remount,size=...` makes it another size."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a small disk: {done.stderr.strip()}")
    yield disk
    # lazily: a model that was loaded from it is still mapped
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
