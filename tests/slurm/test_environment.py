"""iacfilter_hpc.slurm.environment: which variables end at a job's edge."""

from __future__ import annotations

import os

import pytest

from iacfilter_hpc.slurm.environment import outside_any_job, without_launch


def test_a_launch_loses_only_the_variables_of_another_launch() -> None:
    variables = dict.fromkeys(
        "RANK LOCAL_RANK WORLD_SIZE MASTER_PORT NODE_RANK ACCELERATE_USE_DEEPSPEED PMIX_RANK "
        "RANKING MY_RANK SLURM_JOB_ID CUDA_VISIBLE_DEVICES PATH OMP_NUM_THREADS".split(),
        "1",
    )
    kept = "RANKING MY_RANK SLURM_JOB_ID CUDA_VISIBLE_DEVICES PATH OMP_NUM_THREADS".split()
    assert list(without_launch(variables)) == kept


def test_variables_come_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    with pytest.raises(ZeroDivisionError), outside_any_job():
        assert "SLURM_JOB_ID" not in os.environ
        assert os.environ["SLURM_CONF"] == "/etc/slurm.conf"
        raise ZeroDivisionError
    assert os.environ["SLURM_JOB_ID"] == "7"
