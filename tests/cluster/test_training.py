"""Both approaches train on a real Slurm, and every state of a run is told."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest

from iacfilter_hpc.runs.layout import RunLayout
from tests.cluster.cluster import Cluster
from tests.cluster.toolkit import DEMO, Toolkit


@pytest.fixture
def toolkit(slurm: Cluster, tmp_path: Path) -> Toolkit:
    return Toolkit(slurm, tmp_path / "models")


def forget(cluster: Cluster, job_id: str) -> None:
    """Wait until squeue no longer knows a job (MinJobAge)."""
    deadline = time.monotonic() + 60
    while cluster.job_state(job_id) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_encoder_from_pending_to_forgotten(slurm: Cluster, tmp_path: Path) -> None:
    """One run through all that a person sees of it, in a directory with a hostile name."""
    canary = tmp_path / "canary"
    models = tmp_path / f"a b'c\"d;e$(touch {canary.name})`touch {canary.name}`&|é"
    toolkit = Toolkit(slurm, models, {"IACFILTER_SITE": str(hostile_site(tmp_path))})
    job_id = toolkit.submit(
        "encoder",
        "enc",
        "--gpus=1",
        f"--test-file={DEMO / 'test.jsonl'}",
        "--set=resources.begin=now+3",
    )
    waiting = toolkit.status("enc")
    assert (waiting["state"], waiting["reason"]) == ("PENDING", "BeginTime")
    assert waiting["job_id"] == job_id

    running = toolkit.wait("enc", "RUNNING")
    assert running["gpus"] == 1
    assert running["nodes"] in slurm.nodes
    assert running["left"]

    done = toolkit.wait("enc", "COMPLETED")
    assert done["progress"]["step"] == done["progress"]["max_steps"] == 8
    assert done["progress"]["loss"] > 0
    assert 0 <= done["progress"]["f1"] <= 1

    forget(slurm, job_id)
    forgotten = toolkit.status("enc")
    assert forgotten["state"] == "COMPLETED"
    accounted = slurm.run("sacct", "-X", "-n", "-P", "-o", "State,ExitCode", "-j", job_id).stdout
    assert accounted.strip() == "COMPLETED|0:0"

    final = toolkit.directory("enc") / "final"
    weights = final / "model.safetensors"
    assert stat.S_IMODE(weights.stat().st_mode) & 0o044 == 0o044, "the group reads the weights"
    (metrics,) = toolkit.directory("enc").glob("evaluation/*/metrics.json")
    assert json.loads(metrics.read_text())["overall"]["samples"] > 0

    log = toolkit.run("logs", "enc")
    assert log.code == 0, log.err
    assert "threshold" in log.out
    assert toolkit.run("status", "enc", "--exit-status").code == 0
    assert not list(tmp_path.rglob("canary")), "a value was executed"


def hostile_site(folder: Path) -> Path:
    site = folder / "site.yaml"
    scratch = folder / "sc'r$(touch canary) ;x"
    values = {
        "scratch": str(scratch),
        "environment": {"HOSTILE": "a\nb'c\"$(touch canary);`touch canary`"},
        "resources": {"comment": 'it\'s "quoted"; $(touch canary) `touch canary`'},
    }
    site.write_text(json.dumps(values))
    return site


@pytest.mark.parametrize("stage", ["zero2", "zero3"])
def test_generative_on_two_nodes(toolkit: Toolkit, stage: str) -> None:
    """2 nodes x 2 GPUs, four CPU processes in all that meet through gloo."""
    job_id = toolkit.submit(
        "generative",
        f"gen-{stage}",
        "--gpus=4",
        "--nodes=2",
        "--set=accelerate.num_processes=4",
        f"--set=accelerate.deepspeed_config_file={stage}",
        "--batch-size=1",
    )
    done = toolkit.wait(f"gen-{stage}", "COMPLETED", timeout=300)
    log = toolkit.log(f"gen-{stage}")
    assert f"DEEPSPEED {stage}, gloo, 4 processes on 2 nodes" in log
    assert log.count("from srun to the first step") == 1
    assert "packed rows, attention segments" in log
    nodes = toolkit.cluster.run("scontrol", "show", "hostnames", done["nodes"]).stdout.split()
    assert len(nodes) == 2
    assert done["progress"]["step"] == done["progress"]["max_steps"] == 4
    directory = toolkit.directory(f"gen-{stage}")
    adapter = directory / "final" / "adapter_model.safetensors"
    assert adapter.stat().st_size > 1000
    assert stat.S_IMODE(adapter.stat().st_mode) & 0o044 == 0o044
    # one file a node: both nodes really ran
    assert {path.name for path in directory.glob(f"slurm/{job_id}_*_log.out")} == {
        f"{job_id}_0_log.out",
        f"{job_id}_1_log.out",
    }
    # no process wrote its environment, with its secrets, to a file
    assert not list(directory.rglob(".deepspeed_env"))
    assert not Path(".deepspeed_env").exists()


def test_crash_is_failed_everywhere(toolkit: Toolkit) -> None:
    job_id = toolkit.submit("encoder", "crash", "--model-name=/nowhere/model")
    failed = toolkit.wait("crash", "FAILED")
    assert failed["reason"] == (
        "model /nowhere/model is not a directory (train.py ended with exit code 1); not requeued: "
        "it would fail again"
    )
    ended = json.loads(RunLayout(toolkit.directory("crash")).outcome(job_id).read_text())
    assert (ended["cause"], ended["next"]) == ("error", "")
    assert "again" in ended["why"]
    forget(toolkit.cluster, job_id)
    accounted = toolkit.cluster.run("sacct", "-X", "-n", "-P", "-o", "State,ExitCode", "-j", job_id)
    assert accounted.stdout.strip() == "FAILED|1:0"
    assert toolkit.status("crash")["state"] == "FAILED"
    assert "/nowhere/model" in toolkit.run("logs", "crash").out
    assert toolkit.run("status", "crash", "--exit-status").code == 1
    evaluation = toolkit.run("evaluate", "crash", f"--data={DEMO / 'test.jsonl'}")
    assert evaluation.code == 1
    assert evaluation.err.startswith("error: crash has no trained model")


def test_data_changed_after_submission_is_refused(toolkit: Toolkit, tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    data.write_bytes((DEMO / "train.jsonl").read_bytes())
    toolkit.submit("encoder", "changed", f"--train-file={data}", "--set=resources.hold=true")
    data.write_bytes((DEMO / "test.jsonl").read_bytes())
    toolkit.cluster.run("scontrol", "release", str(toolkit.status("changed")["job_id"]))
    failed = toolkit.wait("changed", "FAILED")
    assert failed["reason"] == (
        f"{data} has changed since the run was submitted; not requeued: it would fail again"
    )


def test_python_that_a_node_lacks_is_named(toolkit: Toolkit, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("python: /nowhere/bin/python\n")
    elsewhere = Toolkit(toolkit.cluster, toolkit.models, {"IACFILTER_SITE": str(site)})
    elsewhere.submit("encoder", "lost")
    elsewhere.wait("lost", "FAILED")
    assert "error: /nowhere/bin/python is not a program on" in elsewhere.log("lost")


def test_evaluation_as_a_job(toolkit: Toolkit) -> None:
    toolkit.submit("encoder", "judged")
    toolkit.wait("judged", "COMPLETED")
    submitted = toolkit.run("evaluate", "judged", f"--data={DEMO / 'test.jsonl'}", "--submit")
    assert submitted.code == 0, submitted.err
    assert submitted.out.startswith("Submitted job ")
    toolkit.wait("judged", "COMPLETED")
    assert len(list(toolkit.directory("judged").glob("evaluation/*/predictions.jsonl"))) == 1
    here = toolkit.run("evaluate", "judged", f"--data={DEMO / 'test.jsonl'}", "--json")
    assert here.code == 0, here.err
    assert here.json["overall"]["samples"] > 0
