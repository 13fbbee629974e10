"""iacfilter_hpc.launch.local and .processes: jobs of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.launch import local, processes
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import JobRecord
from iacfilter_hpc.worker.worker import Worker
from tests.made_runs import MadeRuns, demo_config

START = """
import sys
from pathlib import Path
from iacfilter_hpc.launch import local
from iacfilter_hpc.worker.worker import Worker
from tests.made_runs import demo_config
run = Path(sys.argv[1])
print(local.start(run / "slurm", Worker(run), demo_config("encoder").resources, gpus=0))
"""


def test_several_nodes_need_slurm(tmp_path: Path) -> None:
    asked = demo_config("generative", "resources.gpus=2", "resources.nodes=2").resources
    with pytest.raises(UsageError, match="--nodes 2 needs Slurm"):
        local.start(tmp_path / "slurm", Worker(tmp_path), asked, gpus=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("visible", "message"),
    [
        ("", "--gpus 2, but CUDA_VISIBLE_DEVICES shows 0"),
        ("3", "--gpus 2, but CUDA_VISIBLE_DEVICES shows 1"),
        ("GPU-8932f937,GPU-aaaa", "holds more than numbers"),
        ("MIG-1", "holds more than numbers"),
    ],
)
def test_more_gpus_than_are_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, message: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    asked = demo_config("generative", "resources.gpus=2").resources
    with pytest.raises(UsageError, match=message):
        local.start(tmp_path / "slurm", Worker(tmp_path), asked, gpus=2)
    assert not list(tmp_path.iterdir())


def start(layout: RunLayout) -> str:
    """The id of a local job of the run, started by a process that has ended since."""
    # the worker waits at this pipe, as it would for a training
    os.mkfifo(layout.config)
    started = subprocess.run(
        [sys.executable, "-c", START, str(layout.directory)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert started.stderr == ""
    return started.stdout.strip()


def reach(layout: RunLayout) -> int:
    """The writing end of the pipe, once the worker waits at it."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return os.open(layout.config, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline, "the worker never came"
            time.sleep(0.02)


def wait_for_the_end(layout: RunLayout, job: JobRecord) -> None:
    deadline = time.monotonic() + 60
    while processes.is_alive(layout, job):
        assert time.monotonic() < deadline, "the job never ended"
        time.sleep(0.02)


def test_a_job_outlives_its_launcher_and_holds_none_of_its_pipes(made: MadeRuns) -> None:
    layout = made.run("mine")
    job = made.job(layout, start(layout), executor="local")
    assert processes.is_alive(layout, job)
    pipe = reach(layout)
    os.write(pipe, b"not: a configuration")
    os.close(pipe)
    wait_for_the_end(layout, job)
    found = records.outcome(layout, job.job_id)
    assert found
    assert (found.state, found.message) == ("FAILED", "the worker broke off")
    assert "ValidationError" in layout.error_log(job.job_id).read_text()


@pytest.mark.parametrize("state", ["CANCELLED", "DRAINED"])
def test_a_job_that_is_stopped_is_cancelled_if_that_was_meant(made: MadeRuns, state: str) -> None:
    layout = made.run("mine")
    job = made.job(layout, start(layout), executor="local")
    pipe = reach(layout)
    if state == "CANCELLED":
        processes.stop(layout, job)
    else:
        os.kill(int(job.job_id), signal.SIGTERM)
    wait_for_the_end(layout, job)
    os.close(pipe)
    found = records.outcome(layout, job.job_id)
    assert found
    assert (found.state, found.message) == (state, "stopped by SIGTERM")


def test_a_process_of_another_program_is_not_the_job(made: MadeRuns) -> None:
    layout = made.run("mine")
    assert processes.is_alive(layout, made.job(layout, str(os.getpid()), executor="local")) is False
    assert processes.is_alive(layout, made.job(layout, "4194305", executor="local")) is False


def test_a_process_of_another_machine_is_not_known(made: MadeRuns) -> None:
    layout = made.run("mine")
    job = made.job(layout, str(os.getpid()), executor="local", host="elsewhere")
    assert processes.is_alive(layout, job) is None
