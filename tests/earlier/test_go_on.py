"""Jobs that an earlier version has queued still start, and its runs go on to what they were."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from iacfilter_hpc.config.schema import load_config
from iacfilter_hpc.evaluation.predictions import read_predictions
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.training.run import train
from tests.earlier.conftest import unpack
from tests.fake_slurm import FakeSlurm
from tests.training.settings import REPOSITORY, TRAINS

pytestmark = TRAINS
RESULTS = "test-ea90eb09"


@dataclass(frozen=True)
class Ended:
    """What a run has ended with: weights, and p(TP) of the test file's samples."""

    weights: dict[str, torch.Tensor]
    p_tp: list[float]


def ending(layout: RunLayout, results: Path) -> Ended:
    (file,) = layout.final.glob("*.safetensors")
    rows = read_predictions(results / "predictions.jsonl")
    return Ended(load_file(file), [row.p_tp for row in rows])


def check_weights(ours: Ended, theirs: Ended) -> None:
    """Equal bit for bit on the machine that made them, nearly so on another."""
    assert ours.weights.keys() == theirs.weights.keys()
    for name, tensor in ours.weights.items():
        torch.testing.assert_close(tensor, theirs.weights[name], rtol=0, atol=1e-5)


def cut_back(layout: RunLayout) -> Ended:
    """The run as it was in the middle of training; answers how it had ended."""
    theirs = ending(layout, layout.evaluation / RESULTS)
    shutil.rmtree(layout.final)
    shutil.rmtree(layout.evaluation)
    return theirs


def test_an_encoder_goes_on_from_its_checkpoint(encoder: RunLayout) -> None:
    torch.set_num_threads(1)
    theirs = cut_back(encoder)
    logged = encoder.metrics.read_text().splitlines()
    train(encoder, load_config(encoder), "44")
    (file,) = encoder.final.glob("*.safetensors")
    check_weights(Ended(load_file(file), []), theirs)
    steps = [json.loads(line).get("loss") for line in encoder.metrics.read_text().splitlines()]
    assert [loss for loss in steps if loss] == pytest.approx(
        [loss for line in logged if (loss := json.loads(line).get("loss"))], abs=1e-5
    )


# srun, as it starts the one task of a job on this machine
SRUN = """\
#!/bin/bash
while [[ $1 = --* ]]; do
    path=${1#*=}
    case "$1" in
        --output=*) exec >"${path/\\%t/0}" ;;
        --error=*) exec 2>"${path/\\%t/0}" ;;
    esac
    shift
done
SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 exec "$@"
"""
SAID = "gpu1 NodeAddr=127.0.0.1 JobId=7 JobState=RUNNING Reason=None Requeue=1 Restarts={}\n"
"""scontrol's answer to all that a job asks of it."""

# in a name space of mounts, as whoever may make one: root, and most users
PRIVATELY = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
AS_SRV = """\
mount --bind "$1" "$2/iacfilter_hpc" && mount --rbind "$2" /srv && exec bash "$3"
"""


@dataclass(frozen=True)
class Cluster:
    """A machine whose /srv holds what it held when the runs were made, at the same paths.

    But for the code, which is today's. The scripts, pickles and settings need no change for it.
    """

    srv: Path
    slurm: FakeSlurm

    def run(self, script: Path, job_id: str, restarts: int = 0) -> str:
        """Run a job's batch script, as slurmd does; answers what it says beside its logs."""
        self.slurm.says("scontrol", stdout=SAID.format(restarts))
        job = {"SLURM_JOB_ID": job_id, "SLURM_JOB_NODELIST": "gpu1", "SLURM_CPUS_PER_TASK": "2"}
        if restarts:
            job["SLURM_RESTART_COUNT"] = str(restarts)
        there = Path("/srv", script.relative_to(self.srv))
        done = subprocess.run(
            [*PRIVATELY, "bash", "-c", AS_SRV, "bash", str(REPOSITORY), str(self.srv), str(there)],
            env={**os.environ, **job, "PYTHONPATH": "/srv/iacfilter_hpc"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        logs = [path.read_text() for path in script.parent.glob(f"{job_id}*.err")]
        assert done.returncode == 0, "\n".join([done.stderr, *logs])
        return done.stderr


@pytest.fixture
def cluster(tmp_path: Path, fake_slurm: FakeSlurm) -> Cluster:
    may = subprocess.run(
        [*PRIVATELY, "mount", "--bind", tmp_path, "/srv"], capture_output=True, text=True
    )
    if may.returncode:
        pytest.skip(f"needs a private /srv: {may.stderr.strip()}")
    (fake_slurm.bin / "srun").write_text(SRUN)
    srv = tmp_path / "srv"
    (srv / "iacfilter_hpc").mkdir(parents=True)
    python = srv / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return Cluster(srv, fake_slurm)


def outcome(layout: RunLayout, attempt: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(layout.outcome(attempt).read_text())
    return found


def test_a_queued_evaluation_starts(cluster: Cluster) -> None:
    """With the settings that it was submitted with: --threshold argmax --groups --seed 7 ..."""
    layout = unpack("encoder", cluster.srv)
    cluster.run(layout.slurm / "43_submission.sh", "43")
    assert outcome(layout, "43")["state"] == "COMPLETED"
    again = cluster.srv / "models" / "again" / f"{RESULTS}-argmax"
    ours, theirs = ending(layout, again), ending(layout, layout.evaluation / RESULTS)
    assert ours.p_tp == pytest.approx(theirs.p_tp, abs=1e-7)
    metrics = json.loads((again / "metrics.json").read_text())
    assert metrics["threshold_mode"] == "argmax"
    assert (metrics["bootstrap"]["draws"], metrics["bootstrap"]["seed"]) == (200, 7)
    assert metrics["bootstrap"]["repo"] == 1, "the groups of repositories.csv"


def test_a_job_taken_back_by_slurm_goes_on(cluster: Cluster) -> None:
    """Two processes under ZeRO-2 from their checkpoint; then the evaluation, and what comes after.

    The batch script of that time names modules that have moved since.
    """
    layout = unpack("generative", cluster.srv)
    theirs = cut_back(layout)
    said = cluster.run(layout.slurm / "42_submission.sh", "42", restarts=1)
    assert said == "attempt 42.1: COMPLETED, stop: it is finished\n"
    assert "going on from checkpoint-2" in layout.error_log("42.1").read_text()
    assert (outcome(layout, "42.1")["state"], outcome(layout, "42.1")["why"]) == (
        "COMPLETED",
        "it is finished",
    )
    ours = ending(layout, layout.evaluation / RESULTS)
    check_weights(ours, theirs)
    assert ours.p_tp == pytest.approx(theirs.p_tp, abs=1e-5)


LOAD = """
import sys
from submitit.core.utils import DelayedSubmission
worker = DelayedSubmission.load(sys.argv[1]).function
from iacfilter_hpc.worker.worker import Worker
assert type(worker) is Worker
print(repr(worker))
"""


@pytest.mark.parametrize("run", ["encoder", "generative"])
def test_pickles_lead_to_the_worker_of_today(run: str, tmp_path: Path) -> None:
    """Read by submitit in a process that has imported nothing of ours."""
    layout = unpack(run, tmp_path)
    job = "43" if run == "encoder" else "42"
    program = [sys.executable, "-c", LOAD, layout.slurm / f"{job}_submitted.pkl"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = {
        "encoder": "data=PosixPath('/srv/iacfilter_hpc/configs/demo/test.jsonl'), "
        "options=EvaluateOptions(threshold='argmax', "
        "groups=PosixPath('/srv/models/repositories.csv'), draws=200, seed=7, "
        "output=PosixPath('/srv/models/again'), cross_fit=None)",
        "generative": "data=None, options=EvaluateOptions(threshold='validation', groups=None, "
        "draws=2000, seed=None, output=None, cross_fit=None)",
    }
    assert done.stdout == f"Worker(directory=PosixPath('/srv/models/{run}/{run}'), {told[run]})\n"


def test_what_their_scripts_start_in_the_end(generative: RunLayout, fake_slurm: FakeSlurm) -> None:
    fake_slurm.says("scontrol", stdout=SAID.format(0).replace("RUNNING", "PENDING"))
    program = [sys.executable, "-m", "iacfilter_hpc.slurm.afterwards", generative.directory]
    done = subprocess.run(
        [*program, "--code=5", "--limit=20", "--exclude-hours=4.0"],
        env={**os.environ, "SLURM_JOB_ID": "42"},
        check=False,
    )
    assert done.returncode == 5
    assert outcome(generative, "42")["why"] == "Slurm says PENDING"
