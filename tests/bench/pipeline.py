"""GLITCH, a teacher and regexes as one, on human labels: python -m tests.bench.pipeline DATA.

DATA has GLITCH's report of 2022 on the Ansible scripts of its oracle, the oracle, and decisions of
a large language model (five runs) and of regular expressions on the reports of four smells. The
reports of the other five smells are kept unjudged; what the oracle names and no report does is
missed. Nothing is trained: it takes seconds.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from iacfilter_hpc.cli import compare
from iacfilter_hpc.cli.data import __main__ as data
from iacfilter_hpc.glitch.oracle import read_oracle
from iacfilter_hpc.samples.sample import Sample, read_samples

TEACHER = [f"secllm_{number}" for number in ("I", "II", "III", "IV", "V")]
STUDENT = "weak_rules_v1"


def main() -> int:
    """Print the comparison."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        samples = read_samples(folder / "oracle" / "ansible_test.jsonl")
        write_groups(made / "groups.csv", folder, samples)
        write_misses(made / "misses.csv", folder, samples, made / "all.jsonl")
        for system in (*TEACHER, STUDENT):
            write_decisions(made / f"{system}.csv", folder, samples, system)
        first, *more = (made / f"{system}.csv" for system in TEACHER)
        return compare.main(
            [
                *("--data", str(folder / "oracle" / "ansible_test.jsonl")),
                *("--groups", str(made / "groups.csv"), "--misses", str(made / "misses.csv")),
                *("--teacher", f"llm={first}"),
                *(word for path in more for word in ("--predictions", f"llm={path}")),
                *("--predictions", f"regexes={made / STUDENT}.csv", "-o", str(made)),
            ]
        )


def write_groups(path: Path, folder: Path, samples: Sequence[Sample]) -> None:
    """The family of each script, as the data have it."""
    named = {row["file"]: row["family"] for row in rows_of(folder / "oracle" / "meta.csv")}
    write_csv(path, ("file", "family"), ((s.file, named[s.file]) for s in unique(samples)))


def write_misses(path: Path, folder: Path, samples: Sequence[Sample], imported: Path) -> None:
    """What the oracle names and GLITCH did not report, and the reports that nothing judges."""
    scripts, oracle = folder / "scripts" / "ansible", folder / "scripts" / "ansible_oracle.csv"
    report = folder / "glitch_output" / "ase22_ansible_oracle.csv"
    flags = ["--scripts", str(scripts), "--oracle", str(oracle), "--smells", "all"]
    if code := data.main(["import", str(report), *flags, "-o", str(imported)]):
        sys.exit(code)
    judged = {(s.file, s.line, s.smell) for s in samples}
    reported = {(s.file, s.line, s.smell): s.label for s in read_samples(imported)}
    kept = [(*place, label) for place, label in reported.items() if place not in judged]
    named = read_oracle(oracle, scripts).agreement
    missed = [(*place, "FN") for place in named if place not in reported and place not in judged]
    write_csv(path, ("file", "line", "smell", "label"), [*kept, *missed])


def write_decisions(path: Path, folder: Path, samples: Sequence[Sample], system: str) -> None:
    """The decisions of one system; both files are in the order of the samples."""
    rows = rows_of(folder / "oracle" / "reference_predictions.csv")
    decided = [row[system] for row in rows if row["tech"] == "ansible"]
    found = ((s.file, s.line, s.smell, d) for s, d in zip(samples, decided, strict=True))
    write_csv(path, ("file", "line", "smell", "decision"), found)


def unique(samples: Sequence[Sample]) -> Iterator[Sample]:
    """One sample of each file."""
    yield from {sample.file: sample for sample in samples}.values()


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, header: Sequence[str], rows: object) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
