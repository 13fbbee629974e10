"""Cancelling, refusals, a dead controller, lost accounting, submitting from inside a job."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.test_training import forget
from tests.cluster.toolkit import BIN, Toolkit

# long enough to be met while it runs, short enough to end if a cancellation fails
LONG = ("--num-epochs=100000", "--time=00:10:00")


@pytest.fixture
def toolkit(slurm: Cluster, tmp_path: Path) -> Iterator[Toolkit]:
    yield Toolkit(slurm, tmp_path / "models")
    slurm.cancel_all()


def processes_of(job_id: str) -> list[psutil.Process]:
    """Every process that has the job's id in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SLURM_JOB_ID") == job_id:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_cancel_while_pending(toolkit: Toolkit) -> None:
    job_id = toolkit.submit("encoder", "waiting", "--set=resources.hold=true")
    assert toolkit.status("waiting")["reason"].startswith("JobHeld")
    cancelled = toolkit.run("cancel", "waiting")
    assert (cancelled.code, cancelled.out) == (0, f"Cancelled {job_id}: waiting\n")
    toolkit.wait("waiting", "CANCELLED")
    forget(toolkit.cluster, job_id)
    assert toolkit.status("waiting")["state"] == "CANCELLED", "only sacct knows it now"
    again = toolkit.run("cancel", "waiting")
    assert (again.code, again.out, again.err) == (0, "", "waiting has no live job\n")


def test_cancel_while_training_leaves_no_process(toolkit: Toolkit) -> None:
    job_id = toolkit.submit("generative", "cut", *LONG)
    deadline = time.monotonic() + 180
    while not (toolkit.status("cut")["progress"]["step"] or 0) > 3:
        assert time.monotonic() < deadline, toolkit.log("cut")
        time.sleep(0.3)
    assert len(processes_of(job_id)) >= 4, "worker, launcher, two trainers"
    assert toolkit.status("cut")["state"] == "RUNNING"
    assert toolkit.run("cancel", "cut").code == 0
    toolkit.wait("cut", "CANCELLED")
    deadline = time.monotonic() + 30
    while left := processes_of(job_id):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    forget(toolkit.cluster, job_id)
    assert toolkit.status("cut")["state"] == "CANCELLED"
    assert toolkit.run("status", "cut", "--exit-status").code == 1


def test_logs_follow_a_running_job(toolkit: Toolkit) -> None:
    toolkit.submit("encoder", "talk", *LONG)
    follower = subprocess.Popen(
        [BIN / "iacfilter-logs", "talk", "-f"],
        env=toolkit.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert follower.stdout is not None
        assert any("loss" in line for line in follower.stdout), "the log ended without a loss"
    finally:
        follower.kill()
        follower.wait()
        assert follower.stdout is not None
        follower.stdout.close()


def test_refusal_of_sbatch_leaves_nothing(toolkit: Toolkit) -> None:
    refused = toolkit.run("submit", *toolkit.tiny("encoder", "no"), "--partition=nowhere")
    assert refused.code == 1
    assert refused.err.startswith("error: sbatch refused the job")
    assert "nowhere" in refused.err or "partition" in refused.err
    assert not list(toolkit.models.glob("*/no"))


def test_any_option_of_sbatch_reaches_the_job(toolkit: Toolkit, tmp_path: Path) -> None:
    excluded = toolkit.cluster.nodes[0]
    config = tmp_path / "mine.yaml"
    config.write_text(f"resources:\n  exclude: {excluded}\n  mail-type: [END]\n")
    wrong = toolkit.run("submit", *toolkit.tiny("encoder", "many"), f"--config={config}")
    assert wrong.code == 2, "a list is no value of an option"
    config.write_text(f"resources:\n  exclude: {excluded}\n  mail-type: END,FAIL\n")
    mine = ["--set=resources.comment=a 'b' \"c\" $(id)", "--set=resources.begin=now+3600"]
    tiny = [word for word in toolkit.tiny("encoder", "many") if not word.startswith("--config")]
    small = ["--set=model.model_name_or_path=tiny", "--set=training.use_cpu=true", "--gpus=0"]
    sent = toolkit.run("submit", *tiny, *small, *mine, f"--config={config}", "--account=test",
                       "--time=1-2:30", "--mem=100M", "--json")  # fmt: skip
    assert sent.code == 0, sent.err
    shown = toolkit.cluster.run("scontrol", "show", "job", str(sent.json["job_id"])).stdout
    for expected in (
        f"ExcNodeList={excluded}",
        "Account=test",
        "TimeLimit=1-02:30:00",
        "Comment=a 'b' \"c\" $(id)",
        "JobName=many",
        "MinMemoryNode=100M",
    ):
        assert expected in shown, shown
    reserved = toolkit.run("submit", *toolkit.tiny("encoder", "r"), "--set=resources.reservation=x")
    assert reserved.code == 1
    assert "reservation" in reserved.err


def test_submission_from_inside_a_job_starts_clean(toolkit: Toolkit, tmp_path: Path) -> None:
    """The outer job's variables would pin the inner one to its nodes and CPUs."""
    submit = shlex.join([str(BIN / "iacfilter-submit"), *toolkit.tiny("encoder", "inner"), *LONG])
    script = tmp_path / "outer.sh"
    script.write_text(
        "#!/bin/bash\nexport SLURM_LEAK=1 MASTER_ADDR=elsewhere RANK=7 ACCELERATE_USE_CPU=true\n"
        f"srun --ntasks=1 --export=ALL {submit}\n"
    )
    output = tmp_path / "outer.log"
    sent = subprocess.run(
        ["sbatch", "--parsable", "--ntasks=1", f"--output={output}", script],
        env=toolkit.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    toolkit.cluster.wait_for(sent.stdout.strip(), {"COMPLETED"}, timeout=60)
    inner = str(toolkit.wait("inner", "RUNNING")["job_id"])
    deadline = time.monotonic() + 60
    while not processes_of(inner):
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)
    first = min(processes_of(inner), key=lambda process: process.create_time())
    found = first.environ()
    assert inner != sent.stdout.strip()
    assert {"SLURM_LEAK", "MASTER_ADDR", "RANK", "ACCELERATE_USE_CPU", "SLURM_STEP_ID"}.isdisjoint(
        found
    )


def test_without_controller(toolkit: Toolkit) -> None:
    job_id = toolkit.submit("encoder", "before", "--set=resources.hold=true")
    accounting_knows(toolkit.cluster, job_id)
    toolkit.cluster.stop_controller()
    try:
        variables = {"SLURM_CONF": quick_to_give_up(toolkit)}
        lonely = Toolkit(toolkit.cluster, toolkit.models, variables)
        refused = lonely.run("submit", *lonely.tiny("encoder", "after"), timeout=200)
        assert refused.code == 3, refused.err
        assert "error: sbatch: " in refused.err
        assert not list(toolkit.models.glob("*/after"))
        status = lonely.run("status", "--json", timeout=200)
        assert status.code == 0
        assert "warning: squeue failed" in status.err
        assert [run["state"] for run in status.json["runs"]] == ["PENDING"], "sacct still answers"
    finally:
        toolkit.cluster.start_controller()
    assert toolkit.status("before")["state"] == "PENDING"


def accounting_knows(cluster: Cluster, job_id: str) -> None:
    """The controller tells the accounting daemon of a new job within a second or so."""
    deadline = time.monotonic() + 30
    while not cluster.run("sacct", "-X", "-n", "-j", job_id).stdout.strip():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def quick_to_give_up(toolkit: Toolkit) -> str:
    """A slurm.conf whose clients wait less long for the controller."""
    copy = toolkit.models.parent / "slurm.conf"
    lines = toolkit.cluster.conf.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("MessageTimeout", "SlurmctldTimeout"))]
    copy.write_text("\n".join([*kept, "MessageTimeout=2", "SlurmctldTimeout=2"]) + "\n")
    return str(copy)


def test_state_is_unknown_when_nobody_knows(toolkit: Toolkit) -> None:
    """No squeue, no outcome, no accounting: not COMPLETED, not FAILED."""
    job_id = toolkit.submit("encoder", "gone", "--set=resources.hold=true")
    toolkit.cluster.run("scancel", job_id)
    forget(toolkit.cluster, job_id)
    assert toolkit.status("gone")["state"] == "CANCELLED"
    toolkit.cluster.stop_accounting()
    try:
        lost = toolkit.run("status", "gone", "--json")
        assert lost.code == 0
        assert lost.json["runs"][0]["state"] == "UNKNOWN"
        assert toolkit.run("status", "gone", "--exit-status").code == 8
    finally:
        toolkit.cluster.start_accounting()
    assert toolkit.status("gone")["state"] == "CANCELLED"


def test_a_hundred_runs_cost_two_calls(toolkit: Toolkit, tmp_path: Path) -> None:
    """One squeue, and one sacct for all that squeue has forgotten."""
    for number in range(3):
        toolkit.submit("encoder", f"run-{number}", "--set=resources.hold=true")
    toolkit.cluster.run("scancel", "--user=root")
    calls = tmp_path / "calls"
    shims = tmp_path / "bin"
    shims.mkdir()
    for name in ("squeue", "sacct"):
        shim = shims / name
        shim.write_text(f'#!/bin/sh\necho {name} >>{calls}\nPATH=${{PATH#*:}} exec {name} "$@"\n')
        shim.chmod(0o755)
    path = os.pathsep.join([str(shims), os.environ["PATH"]])
    watched = Toolkit(toolkit.cluster, toolkit.models, {"PATH": path})
    assert watched.run("status").code == 0
    assert calls.read_text().split() in (["squeue"], ["squeue", "sacct"])
