"""Runs that are stopped and go on: nothing is lost, under every kind of stop and process tracking.

`make matrix` runs every combination; these six hold each value of each factor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cells import LAYOUTS, STOPS, Twin, leave_alone, stop_and_go_on
from tests.cluster.cluster import Cluster
from tests.cluster.toolkit import Toolkit

CGROUP = (
    ("walltime", "encoder 1x1"),
    ("preemption", "generative 2x2"),
    ("drain file", "generative 1x2"),
)
LINUXPROC = (
    ("scancel --signal", "generative 1x2"),
    ("preemption", "encoder 1x1"),
    ("drain file", "generative 2x2"),
)

Twins = dict[tuple[str, int], Twin]


@pytest.fixture(scope="module")
def twins() -> Twins:
    """Runs left alone, by layout and epochs: process tracking makes no difference."""
    return {}


def cell(cluster: Cluster, folder: Path, twins: Twins, how: str, layout_name: str) -> None:
    layout, toolkit = LAYOUTS[layout_name], Toolkit(cluster, folder / "models")
    key = (layout_name, layout.epochs_for(how))
    if key not in twins:
        twins[key] = leave_alone(toolkit, layout, key[1])
        if how == "preemption":
            twins[key]()  # or it would be preempted too
    result = stop_and_go_on(toolkit, layout, how, "cut", twins[key])
    assert result.lost_steps == 0, result
    assert result.is_equal, result
    attempts = sorted(toolkit.directory("cut").glob("slurm/*_0_log.err"))
    assert len(attempts) >= 2, "a log for each attempt"


@pytest.fixture
def cluster_cgroup(slurm_cgroup: Cluster) -> Iterator[Cluster]:
    yield slurm_cgroup
    slurm_cgroup.cancel_all()


@pytest.fixture
def cluster_linuxproc(slurm_linuxproc: Cluster) -> Iterator[Cluster]:
    yield slurm_linuxproc
    slurm_linuxproc.cancel_all()


@pytest.mark.parametrize(("how", "layout"), CGROUP)
def test_cgroup(
    cluster_cgroup: Cluster, tmp_path: Path, twins: Twins, how: str, layout: str
) -> None:
    cell(cluster_cgroup, tmp_path, twins, how, layout)


@pytest.mark.parametrize(("how", "layout"), LINUXPROC)
def test_linuxproc(
    cluster_linuxproc: Cluster, tmp_path: Path, twins: Twins, how: str, layout: str
) -> None:
    cell(cluster_linuxproc, tmp_path, twins, how, layout)


def test_the_cells_hold_each_value() -> None:
    cells = [*CGROUP, *LINUXPROC]
    assert {how for how, _ in cells} == set(STOPS)
    assert {layout for _, layout in cells} == set(LAYOUTS)
