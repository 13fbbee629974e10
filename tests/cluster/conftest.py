"""Fixtures that run a test on a private Slurm cluster, one cluster at a time."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.programs import create_database, obstacle
from tests.cluster.settings import Proctrack

PROCTRACKS: tuple[Proctrack, ...] = ("cgroup", "linuxproc")


class Clusters:
    """Holds at most one running cluster: two would compete for a small machine."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._stack = ExitStack()
        self.current: Cluster | None = None

    def get(self, proctrack: Proctrack) -> Cluster:
        if self.current is None or self.current.proctrack != proctrack:
            self.stop()
            # Not tmp_path: the path of a unix socket must be shorter than 108 bytes.
            root = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
            self._stack.callback(shutil.rmtree, root)
            cluster = Cluster(root, proctrack, database=self._database)
            self.current = self._stack.enter_context(cluster)
        return self.current

    def stop(self) -> None:
        self.current = None
        self._stack.close()


@pytest.fixture(scope="session")
def slurm_programs() -> None:
    """Skip without Slurm; fail instead where it was promised, as in CI."""
    reason = obstacle()
    if reason and os.environ.get("IACFILTER_REQUIRE_PACKAGES") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def slurm_database(slurm_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slurm") / "database"
    create_database(folder)
    return folder


@pytest.fixture(scope="session")
def slurm_clusters(slurm_database: Path) -> Iterator[Clusters]:
    clusters = Clusters(slurm_database)
    yield clusters
    clusters.stop()


@pytest.fixture(scope="session")
def slurm_cgroup(slurm_clusters: Clusters) -> Cluster:
    return slurm_clusters.get("cgroup")


@pytest.fixture(scope="session")
def slurm_linuxproc(slurm_clusters: Clusters) -> Cluster:
    return slurm_clusters.get("linuxproc")


@pytest.fixture(scope="session", params=PROCTRACKS)
def slurm(slurm_clusters: Clusters, request: pytest.FixtureRequest) -> Cluster:
    """Run the test under both: signals reach a job's children under linuxproc only."""
    return slurm_clusters.get(request.param)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark before pytest selects by mark."""
    if "slurm_programs" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slurm)


@pytest.hookimpl(trylast=True)  # after pytest's own reordering
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests so that each cluster starts once."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Tests that use no shared cluster come first, then one proctrack after the other."""
    names = getattr(item, "fixturenames", ())
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    for turn, proctrack in enumerate(PROCTRACKS, start=1):
        if f"slurm_{proctrack}" in names or parameters.get("slurm") == proctrack:
            return turn
    return 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the daemons said when a test on a cluster fails: their logs are removed."""
    report = yield
    clusters = getattr(item, "funcargs", {}).get("slurm_clusters")
    if report.failed and clusters and clusters.current:
        report.sections += clusters.current.log_tails()
    return report
