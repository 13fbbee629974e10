"""What iacfilter-filter removes of planted repositories: python -m tests.bench.planted MODEL.

MODEL is a run or a final/, such as one that tests.bench.real_encoder trains on weak labels. Further
flags are those of the command: `--threshold 0.999999` makes it the worst there is. The repositories
are those of tests/filtering/planted.py, a report for each technology. Printed for each: credentials
and other real smells that were planted and are gone; false alarms in what the model judges, in all
technologies of the smells that it judges, and all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.filtering.planted import PlantedRepository, PlantedRow, repositories, write_repository

BIN = Path(sys.executable).parent
JUDGED = ("looks like a live", "its line is unlike", "would be removed", "the rule ")
"""Words of the reasons that keep a row which the model has judged."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A planted row, whether it is gone, and whether the model judges its kind."""

    row: PlantedRow
    is_gone: bool
    is_judged: bool

    @property
    def is_false(self) -> bool:
        """Whether it is a false alarm."""
        return not self.row.is_real


def main(model: str, flags: Sequence[str]) -> None:
    """A line a technology, and one of all."""
    names = ("credentials", "other real", "false, judged", "false of smells", "all false")
    print(f"{'':16}" + "".join(f"{name:>17}" for name in names))
    with tempfile.TemporaryDirectory() as folder:
        found = {
            each.technology: outcomes(Path(folder), each, model, flags) for each in repositories()
        }
    found["all"] = [each for rows in found.values() for each in rows]
    codes = {each.row.code for each in found["all"] if each.is_judged and each.is_false}
    for name, rows in found.items():
        print(f"{name:16}" + "".join(f"{cell:>17}" for cell in cells(rows, codes)), flush=True)


def outcomes(
    folder: Path, planted: PlantedRepository, model: str, flags: Sequence[str]
) -> list[Outcome]:
    """What the command makes of one repository's report."""
    report, scripts = write_repository(folder / planted.technology, planted)
    rows = folder / "rows.csv"
    argv = [str(BIN / "iacfilter-filter"), str(report), "--model", model, "--json", "--annotate"]
    argv += ["--scripts", str(scripts), "-o", str(rows), *flags]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    columns = [line.rsplit(",", 2)[1] for line in rows.read_text().splitlines()[1:]]
    return [
        Outcome(row, column == "FP", column in ("TP", "FP") or any(w in column for w in JUDGED))
        for row, column in zip(planted.rows, columns, strict=True)
    ]


def cells(rows: Sequence[Outcome], codes: Collection[str]) -> list[str]:
    """How many of each kind are gone."""
    kinds = (
        [each for each in rows if each.row.is_credential],
        [each for each in rows if each.row.is_real and not each.row.is_credential],
        [each for each in rows if each.is_false and each.is_judged],
        [each for each in rows if each.is_false and each.row.code in codes],
        [each for each in rows if each.is_false],
    )
    return [f"{sum(each.is_gone for each in kind)} of {len(kind)}" for kind in kinds]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
