"""Milliseconds to read sample files, side by side with another checkout if one is named.

python -m tests.bench.samples [ROOT:MODULE], where MODULE of the checkout ROOT has `read_samples`:
python -m tests.bench.samples /tmp/base:iacfilter_hpc.detections.samples
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from iacfilter_hpc.samples.sample import write_samples
from tests.samples.made import numbered

HERE = f"{Path(__file__).resolve().parents[2]}:iacfilter_hpc.samples.sample"
SIZES = (600, 10_000)
ROUNDS = 7
READ = """
import importlib, sys, time
from pathlib import Path
module, *files = sys.argv[1:]
read_samples = importlib.import_module(module).read_samples
read_samples(Path(files[0]))  # what is imported when the first file is read counts once a process
for file in files:
    started = time.perf_counter()
    read_samples(Path(file))
    print(1000 * (time.perf_counter() - started))
"""


def main(others: list[str]) -> None:
    """Print the minimum over fresh processes, which take turns so that both meet the same noise."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{size}.jsonl" for size in SIZES]
        for file, size in zip(files, SIZES, strict=True):
            write_samples(file, numbered(0, size))
        checkouts = [HERE, *others]
        rounds = [[read_ms(each, files) for each in checkouts] for _ in range(ROUNDS)]
    print(f"ms to read {' and '.join(map(str, SIZES))} samples, minimum of {ROUNDS} processes")
    for number, each in enumerate(checkouts):
        best = [min(times) for times in zip(*(row[number] for row in rounds), strict=True)]
        print(f"{each:60}" + "".join(f"{ms:10.1f}" for ms in best))


def read_ms(checkout: str, files: list[Path]) -> list[float]:
    """Milliseconds for each file, read by a fresh process of this checkout."""
    root, _, module = checkout.rpartition(":")
    done = subprocess.run(
        [sys.executable, "-c", READ, module, *map(str, files)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(line) for line in done.stdout.split()]


if __name__ == "__main__":
    main(sys.argv[1:])
