"""The test cluster itself: it schedules, accounts, survives restarts and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.daemons import wait_until

OWNER = """
import os, signal, sys
from pathlib import Path
from tests.cluster.cluster import Cluster

root = Path(sys.argv[1])
with Cluster(root, sys.argv[2], nodes=1, database=Path(sys.argv[3])) as cluster:
    submit = ["sbatch", "--parsable", f"--output={root}/job.log", f"--wrap={sys.argv[4]}"]
    cluster.wait_for(cluster.run(*submit).stdout.strip(), "RUNNING")
    print("running", flush=True)
    sys.stdin.read()
"""


def submit(cluster: Cluster, log: Path, script: str, *options: str) -> str:
    argv = ["sbatch", "--parsable", f"--output={log}", *options, f"--wrap={script}"]
    return cluster.run(*argv).stdout.strip()


def accounted_state(cluster: Cluster, job_id: str) -> str:
    return cluster.run("sacct", "-n", "-X", "-P", "-o", "State", "-j", job_id).stdout.strip()


def wait_accounted(cluster: Cluster, job_id: str, state: str) -> None:
    """Accounting lags behind the controller by a moment."""
    wait_until(lambda: accounted_state(cluster, job_id) == state, f"sacct says {state}", 10)


def mentions(text: str) -> list[str]:
    """Command lines of the processes that have the text in their arguments or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if text.encode() in command + (process / "environ").read_bytes():
                found.append(command.replace(b"\0", b" ").decode())
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.fixture
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_job_runs_on_two_nodes_with_their_gpus(slurm: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "srun sh -c 'echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES'"
    job_id = submit(slurm, log, script, "--nodes=2", "--gpus-per-node=2")
    slurm.wait_for(job_id, "COMPLETED")
    seen = dict(line.split() for line in log.read_text().splitlines())
    assert len(seen) == 2
    assert set(seen) < set(slurm.nodes)
    assert set(seen.values()) == {"0,1"}


def test_accounting_outlives_the_controllers_memory(slurm: Cluster, tmp_path: Path) -> None:
    job_id = submit(slurm, tmp_path / "log", "true")
    slurm.wait_for(job_id, "COMPLETED")
    wait_accounted(slurm, job_id, "COMPLETED")
    wait_until(lambda: slurm.job_state(job_id) is None, "squeue forgets the job", 20)
    assert accounted_state(slurm, job_id) == "COMPLETED"


def test_higher_partition_preempts_and_the_job_comes_back(slurm: Cluster, tmp_path: Path) -> None:
    everywhere = (f"--nodes={len(slurm.nodes)}", "--exclusive")
    log = tmp_path / "low"
    low = submit(slurm, log, "echo $SLURM_RESTART_COUNT; sleep 60", *everywhere, "--requeue")
    slurm.wait_for(low, "RUNNING")
    high = submit(slurm, tmp_path / "high", "true", *everywhere, "--partition=high")
    slurm.wait_for(high, "COMPLETED")
    slurm.wait_for(low, "RUNNING")
    wait_until(lambda: "1" in log.read_text().split(), "the job runs again", 5)
    slurm.cancel_all()


def test_job_survives_its_daemons(slurm: Cluster, tmp_path: Path) -> None:
    job_id = submit(slurm, tmp_path / "log", "sleep 5", f"--nodelist={slurm.nodes[0]}")
    slurm.wait_for(job_id, "RUNNING")
    slurm.kill_slurmd(slurm.nodes[0])
    slurm.stop_controller()
    slurm.stop_accounting()
    assert "DOWN" in slurm.run("scontrol", "ping", check=False).stdout
    slurm.start_accounting()
    slurm.start_controller()
    slurm.start_slurmd(slurm.nodes[0])
    slurm.wait_for(job_id, "COMPLETED")
    wait_accounted(slurm, job_id, "COMPLETED")
    slurm.wait_ready()


@pytest.mark.parametrize(
    ("proctrack", "end"),
    [
        ("cgroup", None),
        ("cgroup", signal.SIGKILL),
        ("linuxproc", signal.SIGTERM),
        ("linuxproc", signal.SIGINT),
    ],
)
def test_nothing_is_left_behind(
    root: Path, slurm_database: Path, proctrack: str, end: signal.Signals | None
) -> None:
    """The job's child has left its session and its environment, so only the keeper finds it."""
    job = f"env -i setsid sh -c 'sleep 600; : {root}' & wait"
    owner = subprocess.Popen(
        [
            *(sys.executable, "-c", OWNER),
            *(str(root), proctrack, str(slurm_database), job),
        ],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with owner:
        assert owner.stdout is not None and owner.stdin is not None
        assert owner.stdout.readline() == "running\n"
        assert any("sleep 600" in command for command in mentions(str(root)))
        if end:
            owner.send_signal(end)
        else:
            owner.stdin.close()
        # the database alone takes seconds to end, and more on a busy machine
        owner.wait(timeout=60)
    wait_until(lambda: not mentions(str(root)), "no process of the cluster", 5)
    node = next((root / "spool").iterdir()).name
    cgroups = Path("/sys/fs/cgroup")
    wait_until(lambda: not list(cgroups.glob(f"*/slurm_{node}")), "no cgroup of the node", 5)
