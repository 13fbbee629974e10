"""iacfilter_hpc.slurm.executor: what sbatch answers, and which variables it sees."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import IacfilterError, JobMayExist, SlurmUnreachable, SubmissionError
from iacfilter_hpc.slurm.executor import TemplateExecutor, slurm_executor, submit
from iacfilter_hpc.slurm.template import JobScript
from iacfilter_hpc.worker.worker import Worker
from tests.fake_slurm import FakeSlurm
from tests.made_runs import demo_config


@pytest.fixture
def executor(tmp_path: Path) -> TemplateExecutor:
    script = JobScript("evaluate", "mine", "/python", Site(), tmp_path)
    return slurm_executor(tmp_path / "slurm", script, demo_config("encoder").resources)


@pytest.mark.parametrize(
    ("stderr", "kind", "message"),
    [
        (
            "sbatch: error: invalid partition specified: x\n"
            "sbatch: error: Batch job submission failed: Invalid partition name specified\n",
            SubmissionError,
            "sbatch refused the job: invalid partition specified: x; Batch job submission failed: "
            "Invalid partition name specified",
        ),
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller "
            "(connect failure)\n",
            SlurmUnreachable,
            "sbatch: Batch job submission failed: Unable to contact slurm controller (connect fail",
        ),
        (
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n",
            JobMayExist,
            "Socket timed out",
        ),
        (
            "sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
            "sbatch: error: fetch_config: DNS SRV lookup failed\n"
            "sbatch: fatal: Could not establish a configuration source\n",
            SlurmUnreachable,
            "Could not establish a configuration source",
        ),
        (
            "sbatch: error: s_p_parse_file: cannot stat file /nope: No such file or directory, "
            "retrying in 1sec up to 60sec\n"
            "sbatch: error: ClusterName needs to be specified\n"
            "sbatch: fatal: Unable to process configuration file\n",
            SlurmUnreachable,
            "cannot stat file /nope",
        ),
        (
            "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received\n",
            JobMayExist,
            "Zero Bytes were transmitted",
        ),
        ("words of a\nwrapper script\n", SubmissionError, "words of a wrapper script"),
    ],
)
def test_what_sbatch_says_is_passed_on(
    fake_slurm: FakeSlurm,
    executor: TemplateExecutor,
    stderr: str,
    kind: type[IacfilterError],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_slurm.says("sbatch", stderr=stderr, code=1)
    with pytest.raises(kind) as caught:
        submit(executor, Worker(Path("/run")))
    assert type(caught.value) is kind
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert capsys.readouterr() == ("", "")


def test_an_sbatch_that_is_killed_leaves_it_open(
    fake_slurm: FakeSlurm, executor: TemplateExecutor
) -> None:
    (fake_slurm.bin / "sbatch").write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(JobMayExist, match="sbatch: "):
        submit(executor, Worker(Path("/run")))


def test_an_answer_without_a_job_id_leaves_it_open(
    fake_slurm: FakeSlurm, executor: TemplateExecutor
) -> None:
    fake_slurm.says("sbatch", stdout="hello\n")
    with pytest.raises(JobMayExist, match=r"gave no job id: .*hello"):
        submit(executor, Worker(Path("/run")))


def test_without_sbatch_it_is_named(no_slurm: None, executor: TemplateExecutor) -> None:
    with pytest.raises(SlurmUnreachable, match="sbatch is not on PATH"):
        submit(executor, Worker(Path("/run")))


def test_the_job_gets_the_worker(fake_slurm: FakeSlurm, executor: TemplateExecutor) -> None:
    worker = Worker(Path("/it's a/run"), Path("/data $(id)"))
    assert submit(executor, worker) == "4242"
    submitted = pickle.loads((executor.folder / "4242_submitted.pkl").read_bytes())
    assert submitted.function == worker
    assert (executor.folder / "4242_submission.sh").read_text() == fake_slurm.script()


def test_a_job_that_submits_passes_none_of_its_variables_on(
    fake_slurm: FakeSlurm, executor: TemplateExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaking = {
        *("SLURM_JOB_ID", "SLURM_CPUS_PER_TASK", "SLURM_NTASKS", "SRUN_CPUS_PER_TASK"),
        *("SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES", "SUBMITIT_EXECUTOR", "IACFILTER_RENDEZVOUS"),
        *("RANK", "WORLD_SIZE", "MASTER_ADDR", "ACCELERATE_USE_CPU", "TORCHELASTIC_RUN_ID"),
        *("PMI_RANK", "OMPI_COMM_WORLD_SIZE", "FSDP_VERSION", "GPU_DEVICE_ORDINAL"),
    }
    kept = {
        *("SLURM_CONF", "SLURM_CLUSTERS", "SBATCH_ACCOUNT", "SBATCH_PARTITION", "HF_HOME"),
        *("MASTER_OF_PUPPETS", "OMP_NUM_THREADS", "HF_TOKEN"),
    }
    for name in leaking | kept:
        monkeypatch.setenv(name, f"value of {name}")
    before = dict(os.environ)
    submit(executor, Worker(Path("/run")))
    seen = fake_slurm.environment("sbatch")
    assert not leaking & set(seen)
    assert {name: seen[name] for name in kept} == {name: f"value of {name}" for name in kept}
    assert dict(os.environ) == before


def test_warnings_of_sbatch_are_shown(
    fake_slurm: FakeSlurm, executor: TemplateExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_slurm.says("sbatch", stdout="Submitted batch job 7 on cluster x\n", stderr="sbatch: hi\n")
    assert submit(executor, Worker(Path("/run"))) == "7"
    assert capsys.readouterr().out == ""
