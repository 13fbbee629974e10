"""Verdicts at scale: seconds to write a baseline of many findings, and to know them again.

python -m tests.bench.verdicts
"""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.glitch.report import open_report
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.verdicts.baseline import read_baseline, write_baseline
from tests.verdicts.made_scripts import SCRIPTS, made

FILES = 3000
BLOCKS = 25
REPORTED = 3
"""Blocks of each file in which something is reported."""


def write_repository(root: Path) -> Path:
    """Scripts of five technologies, each block of about eight lines, and a report about them."""
    rows = []
    for number in range(FILES):
        kind = SCRIPTS[number % len(SCRIPTS)]
        script = made(replace(kind, file=f"{number}/{kind.file}"), BLOCKS, start=number)
        path = root / script.file
        path.parent.mkdir(parents=True)
        path.write_text(script.text())
        rows += [
            f"{script.file},{script.line_of(unit)},sec_https,http\n"
            for unit in script.units[:REPORTED]
        ]
    report = root / "glitch.csv"
    report.write_text("".join(rows))
    return report


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        report, scripts = open_report(write_repository(root)), Scripts(root)
        started = time.process_time()
        with (root / "baseline.jsonl").open("wb") as file:
            findings = write_baseline(file.write, report, scripts)
        written = time.process_time()
        read_baseline(root / "baseline.jsonl", scripts)
        read = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{findings} findings in {FILES} files of {BLOCKS} blocks, {memory} MB")
    print(f"written in {written - started:.1f} s, known again in {read - written:.1f} s of CPU")


if __name__ == "__main__":
    main()
