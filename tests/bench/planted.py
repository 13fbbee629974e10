"""What iacfilter-filter removes of planted repositories: python -m tests.bench.planted MODEL.

MODEL is a run or a final/, such as one that tests.bench.real_encoder trains on weak labels. Further
flags are those of the command: `--threshold 0.999999` makes it the worst there is. The repositories
are those of tests/filtering/planted.py, a report for each technology. Printed for each: credentials
planted and removed, false alarms planted and removed, of what the model may judge and of all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.filtering.planted import PlantedRepository, PlantedRow, repositories, write_repository

BIN = Path(sys.executable).parent
NOT_LEARNED = ("the model was not trained on", "too few real ones", "the model is of an earlier")


@dataclass(frozen=True, slots=True)
class Removed:
    """Planted rows of one kind, and how many of them are gone."""

    rows: int
    gone: int

    def __str__(self) -> str:
        return f"{self.gone} of {self.rows}"


def main(model: str, flags: Sequence[str]) -> None:
    """A line a technology, and one of all."""
    print(f"{'':16}{'credentials':>14}{'real others':>14}{'judged false':>14}{'all false':>14}")
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(Path(folder), each, model, flags) for each in repositories()]
    for each, columns in zip(repositories(), found, strict=True):
        print_row(each.technology, columns)
    print_row("all", [summed(column) for column in zip(*found, strict=True)])


def measure(
    folder: Path, planted: PlantedRepository, model: str, flags: Sequence[str]
) -> list[Removed]:
    """Of credentials, other real ones, false alarms that may be judged, and all false alarms."""
    report, scripts = write_repository(folder / planted.technology, planted)
    rows = folder / "rows.csv"
    argv = [str(BIN / "iacfilter-filter"), str(report), "--model", model, "--json", "--annotate"]
    argv += ["--scripts", str(scripts), "-o", str(rows), *flags]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["read"] == len(planted.rows)
    columns = [line.rsplit(",", 2)[1] for line in rows.read_text().splitlines()[1:]]
    judged = [not any(words in column for words in NOT_LEARNED) for column in columns]
    gone = [column == "FP" for column in columns]
    kinds = (
        [row.is_credential for row in planted.rows],
        [row.is_real and not row.is_credential for row in planted.rows],
        [not row.is_real and may for row, may in zip(planted.rows, judged, strict=True)],
        [not row.is_real for row in planted.rows],
    )
    return [removed(planted.rows, gone, kind) for kind in kinds]


def removed(rows: Sequence[PlantedRow], gone: Sequence[bool], kind: Sequence[bool]) -> Removed:
    """How many of the rows of a kind are gone."""
    chosen = [is_gone for _, is_gone, is_one in zip(rows, gone, kind, strict=True) if is_one]
    return Removed(len(chosen), sum(chosen))


def summed(column: Sequence[Removed]) -> Removed:
    """One kind over all technologies."""
    return Removed(sum(each.rows for each in column), sum(each.gone for each in column))


def print_row(name: str, columns: Sequence[Removed]) -> None:
    """One line."""
    print(f"{name:16}" + "".join(f"{each!s:>14}" for each in columns), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
