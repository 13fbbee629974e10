"""Seconds and peak memory of iacfilter-data check and split, by the number of samples.

python -m tests.bench.check [--sorts SORT ...] [--sizes N ...] [--beside ROOT ...]: this checkout's,
and others' beside it, in turns. A line says whether the answers are the same: pairs of each kind,
and for split every byte of the files.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.samples.sample import write_samples
from tests.bench.copies import SORTS, made

HERE = Path(__file__).resolve().parents[2]
SIZES = (2_000, 8_000, 32_000, 100_000)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a command: its times, its largest memory in MiB, its exit code, its answers."""

    seconds: float
    cpu: float
    memory: float
    code: int
    answers: str


def main() -> None:
    """A line for each sort, size, command and checkout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sorts", nargs="+", choices=SORTS, default=list(SORTS))
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--most", type=int, default=32_000, help="samples for other checkouts")
    parser.add_argument("--beside", nargs="+", type=Path, default=[], metavar="ROOT")
    args = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"{'sort':15}{'samples':>8}  command {'s':>8}{'CPU s':>8}{'MiB':>7}{'code':>5}  checkout")
    for sort in args.sorts:
        for size in args.sizes:
            for line in compare(sort, size, [HERE, *(args.beside if size <= args.most else ())]):
                print(line, flush=True)


def compare(sort: str, size: int, roots: list[Path]) -> Iterator[str]:
    """The lines of one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = list(made(sort, size))
        write_samples(folder / "all.jsonl", samples)
        write_samples(folder / "train.jsonl", [s for n, s in enumerate(samples) if n % 10])
        write_samples(folder / "validation.jsonl", samples[::10])
        del samples
        for command in ("check", "split"):
            found = [measure(command, folder, root) for root in roots]
            for root, one in zip(roots, found, strict=True):
                same = "" if root is HERE else f"  {one.cpu / found[0].cpu:.1f} times the CPU"
                if root is not HERE:
                    same += ", same answers" if one.answers == found[0].answers else ", DIFFERENT"
                times = f"{one.seconds:>8.1f}{one.cpu:>8.1f}{one.memory:>7.0f}{one.code:>5}"
                yield f"{sort:15}{size:>8}  {command:8}{times}  {root.name}{same}"


def measure(command: str, folder: Path, root: Path) -> Measured:
    """A fresh process of a checkout, on one core."""
    out = folder / f"split-{root.name}"
    arguments = {
        "check": ["check", "train.jsonl", "validation.jsonl"],
        "split": ["split", "all.jsonl", "--sizes", "0.8/0.1/0.1", "--seed", "1", "-o", str(out)],
    }[command]
    argv = [sys.executable, "-m", "iacfilter_hpc.cli.data", *arguments]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONHASHSEED": "0"}
    with (folder / "out").open("w+") as told, (folder / "err").open("w+") as said:
        started = time.monotonic()
        done = subprocess.Popen(argv, cwd=folder, env=environment, stdout=told, stderr=said)
        _, status, usage = os.wait4(done.pid, 0)
        seconds = time.monotonic() - started
        done.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        # how many pairs of each kind: what a message says of them may change its words
        answers = hashlib.sha256(" ".join(re.findall(r"\d+", said.read())).encode())
    for file in sorted(out.glob("*.jsonl")):
        answers.update(file.read_bytes())
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(seconds, cpu, usage.ru_maxrss / 1024, done.returncode, answers.hexdigest())


if __name__ == "__main__":
    main()
