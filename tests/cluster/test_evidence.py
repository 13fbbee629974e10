"""What follows an attempt, by how it ended: a new job, other nodes, a second chance, nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from iacfilter_hpc.runs.layout import RunLayout
from tests.cluster.cells import resumed_at, wait_until
from tests.cluster.cluster import Cluster
from tests.cluster.toolkit import Toolkit
from tests.cluster.trained import Trained

BREAK = """\
import os, sys
from pathlib import Path

class Breaks:
    def find_spec(self, name, path=None, target=None):
        if name == "transformers.trainer" and {condition}:
            raise {error}

if Path(sys.argv[0]).name == "train.py":
    sys.meta_path.insert(0, Breaks())
"""
"""A sitecustomize.py that breaks the training processes."""


@pytest.fixture
def toolkit(slurm_linuxproc: Cluster, tmp_path: Path) -> Iterator[Toolkit]:
    yield Toolkit(slurm_linuxproc, tmp_path / "models")
    slurm_linuxproc.cancel_all()


@pytest.fixture
def no_mercy(toolkit: Toolkit) -> Iterator[None]:
    """Preempted jobs are killed, at once."""
    partition = ("scontrol", "update", "PartitionName=main")
    toolkit.cluster.run(*partition, "PreemptMode=CANCEL", "GraceTime=0")
    yield
    toolkit.cluster.run(*partition, "PreemptMode=REQUEUE", "GraceTime=5")


@pytest.mark.usefixtures("no_mercy")
def test_preempted_for_good(toolkit: Toolkit) -> None:
    """Slurm leaves it KillWait to save, and never starts it again."""
    run, cluster = Trained(toolkit, "encoder"), toolkit.cluster
    nodes = str(len(cluster.nodes))
    cluster.run("sbatch", "--partition=high", f"--nodes={nodes}", "--exclusive",
                "--output=/dev/null", "--wrap=sleep 1")  # fmt: skip
    first = run.outcome(run.job_id)
    assert first["state"] == "DRAINED"
    assert first["next"].isdecimal(), first
    run.goes_on(first["next"], first["saved"])
    said = cluster.run("sacct", "-X", "-n", "-o", "State", "-j", run.job_id).stdout
    assert said.split() == ["PREEMPTED"]


def test_a_node_that_breaks_is_kept_off(toolkit: Toolkit, tmp_path: Path) -> None:
    first = toolkit.cluster.nodes[0]
    broken = breaking(
        toolkit,
        tmp_path,
        condition=f'os.environ["SLURMD_NODENAME"] == "{first}"',
        error='RuntimeError("CUDA error: uncorrectable ECC error encountered")',
    )
    job_id = broken.submit("encoder", "mine", "--num-epochs=1")
    layout = RunLayout(broken.directory("mine"))
    wait_until(layout.outcome(job_id).exists, broken, "mine")
    wait_until(lambda: broken.status("mine")["job_id"] != job_id, broken, "mine")
    found = broken.wait("mine", "COMPLETED")
    ended = json.loads(layout.outcome(job_id).read_text())
    assert (ended["cause"], ended["nodes"]) == ("node", [first]), "of empty nodes it is the first"
    assert ended["next"] == found["job_id"]
    shown = toolkit.cluster.run("scontrol", "show", "job", found["job_id"]).stdout
    assert f"ExcNodeList={first}" in shown


def test_memory_that_runs_out_twice(toolkit: Toolkit, tmp_path: Path) -> None:
    broken = breaking(toolkit, tmp_path, condition="True", error='MemoryError("no more of it")')
    job_id = broken.submit("encoder", "mine")
    layout = RunLayout(broken.directory("mine"))
    second = layout.outcome(f"{job_id}.1")
    wait_until(second.exists, broken, "mine")
    broken.wait("mine", "FAILED")
    ends = [json.loads(path.read_text()) for path in (layout.outcome(job_id), second)]
    assert [(end["cause"], end["next"]) for end in ends] == [("memory", "requeued"), ("memory", "")]
    assert "memory ran out before the first step again" in broken.status("mine")["reason"]


def test_two_attempts_alive(toolkit: Toolkit, tmp_path: Path) -> None:
    """A duplicate leaves the run alone; one that cannot see the other takes it over, and writes."""
    run, cluster = Trained(toolkit, "encoder"), toolkit.cluster
    refused = duplicate(run, tmp_path)
    told = run.until(lambda: "error: " in text(run.layout.error_log(refused)) and refused)
    assert f"job {run.job_id} is training this run" in text(run.layout.error_log(told))
    # as one that Slurm has lost sight of while its node was away
    cluster.run("scontrol", "update", f"JobId={run.job_id}", "JobName=lost")
    second = duplicate(run, tmp_path)
    run.until(lambda: resumed_at(run.layout.error_log(second)) is not None)
    first = run.outcome(run.job_id)
    assert (first["state"], first["next"]) == ("FAILED", "")
    assert f"attempt {second} has taken over this run" in first["message"]
    run.step_after(run.step())
    newest = max(run.layout.directory.glob("checkpoint-*/manifest.json"), key=os.path.getmtime)
    run.until(lambda: not newest.exists())  # a newer one has been published, and this one pruned


def duplicate(run: Trained, tmp_path: Path) -> str:
    """The id of another job with the script of a run's job, which does not wait for its end."""
    script = (run.layout.slurm / f"{run.job_id}_submission.sh").read_text()
    copy = tmp_path / "again.sh"
    kept = [line for line in script.splitlines() if "--dependency=" not in line]
    copy.write_text("\n".join(kept) + "\n")
    cluster = run.toolkit.cluster
    job_id = cluster.run("sbatch", "--parsable", "--hold", str(copy)).stdout.strip()
    pickle = run.layout.slurm / f"{run.job_id}_submitted.pkl"
    shutil.copyfile(pickle, run.layout.slurm / f"{job_id}_submitted.pkl")
    cluster.run("scontrol", "release", job_id)
    return job_id


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def breaking(toolkit: Toolkit, tmp_path: Path, *, condition: str, error: str) -> Toolkit:
    """The toolkit, with training processes that raise an error while they start."""
    folder = tmp_path / "breaking"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BREAK.format(condition=condition, error=error))
    return Toolkit(toolkit.cluster, toolkit.models, {"PYTHONPATH": str(folder)})
