"""Every way to stop x process tracking x layout, on real clusters: python -m tests.cluster.matrix.

Writes tests/cluster/MATRIX.md, with the commit and the date. Words given as arguments choose cells
that hold all of them, such as `preemption cgroup`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from tests.cluster.cells import LAYOUTS, STOPS, Layout, Result, Twin, leave_alone, stop_and_go_on
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import PROCTRACKS
from tests.cluster.settings import Proctrack
from tests.cluster.toolkit import Toolkit

Twins = dict[tuple[str, int], Twin]
"""Runs that were left alone, by layout and number of epochs."""
TABLE = Path(__file__).parent / "MATRIX.md"
HEADER = (
    "| stopped by | tracking | layout | at step | lost steps | weights equal | signal to exit s "
    "| exit to new step s |\n|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Run the cells, print each as it ends, and write the table."""
    started = time.monotonic()
    rows: list[str] = []
    # how processes are tracked makes no difference to what they compute
    twins: Twins = {}
    for proctrack in PROCTRACKS:
        for row in run_cells(proctrack, sys.argv[1:], twins):
            rows.append(row)
            minutes = (time.monotonic() - started) / 60
            TABLE.write_text(table(rows, minutes), encoding="utf-8")
    bad = [row for row in rows if "FAILED" in row]
    sys.exit(f"{len(bad)} of {len(rows)} cells failed" if bad else 0)


def run_cells(proctrack: Proctrack, words: list[str], twins: Twins) -> Iterator[str]:
    """A row of the table for each chosen cell of one kind of cluster."""
    chosen = [
        (layout, how)
        for layout, how in product(LAYOUTS.values(), STOPS)
        if all(word in f"{how} {proctrack} {layout.name}" for word in words)
    ]
    if not chosen:
        return
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as root,
        tempfile.TemporaryDirectory(prefix="models-") as models,
        Cluster(Path(root) / "c", proctrack) as cluster,
    ):
        toolkit = Toolkit(cluster, Path(models) / "models")
        for layout, how in chosen:
            row = f"| {how} | {proctrack} | {layout.name} | {run_cell(toolkit, layout, how, twins)}"
            print(row, flush=True)
            cluster.cancel_all()
            yield row


def run_cell(toolkit: Toolkit, layout: Layout, how: str, twins: Twins) -> str:
    """The rest of a row, after what names the cell."""
    key = (layout.name, layout.epochs_for(how))
    name = f"{how}-{layout.name}".replace(" ", "-").replace("--", "-")
    try:
        if key not in twins:
            twins[key] = leave_alone(toolkit, layout, key[1])
            twins[key]()  # beside it, the times of the cell would be others
        return describe(stop_and_go_on(toolkit, layout, how, name, twins[key]))
    except AssertionError as error:
        sys.stderr.write(f"{error}\n")
        return "FAILED | | | | |"


def describe(result: Result) -> str:
    """Five cells of a row; FAILED where work was lost or the weights differ."""
    verdict = "yes" if result.is_equal else "FAILED"
    lost = str(result.lost_steps) if result.lost_steps <= 1 else f"FAILED {result.lost_steps}"
    return (
        f"{result.stopped_at} | {lost} | {verdict} | {result.exit_seconds} "
        f"| {result.again_seconds} |"
    )


def table(rows: list[str], minutes: float) -> str:
    """The document."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True
    ).stdout.strip()
    date = datetime.now(UTC).date().isoformat()
    good = sum("FAILED" not in row for row in rows)
    possible = len(LAYOUTS) * len(STOPS) * len(PROCTRACKS)
    return (
        "# Stopped and gone on\n\n"
        f"`make matrix` at {commit}, {date}: {good} of {len(rows)} cells (of {possible} that there "
        "are) lost no more than a step and ended with the weights of a run that nothing stopped, "
        "bit for bit. Tiny models on 2 CPU cores, "
        f"a private Slurm cluster; {minutes:.0f} minutes. A layout is nodes x processes; with "
        "`cred_expire=5` Slurm holds a requeued job 6 s, by default two minutes.\n\n"
        f"{HEADER}\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    main()
