"""Environment: the variables of an enclosing job or launch that must not reach one of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from iacfilter_hpc.runs.variables import OF_A_JOB

# What an outer `accelerate launch` or torchrun leaves behind would steer ours;
# ACCELERATE_USE_CPU alone turns DeepSpeed into plain DDP without a word
LAUNCH_PREFIXES = ("ACCELERATE_", "TORCHELASTIC_", "FSDP_", "PMI_", "PMIX_", "OMPI_")
LAUNCH_NAMES = frozenset(
    "RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE GROUP_RANK ROLE_RANK NODE_RANK MASTER_ADDR "
    "MASTER_PORT".split()
)
# sbatch hands the whole environment on (--export=ALL is its default): a job submitted from inside
# another would take that one's ids, its CPU count and its GPUs for its own
JOB_PREFIXES = ("SLURM_", "SLURMD_", "SRUN_", "SUBMITIT_")
JOB_NAMES = OF_A_JOB | {"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"}
# The first two say which cluster is meant, the third how much submitit logs: none is of a job.
# SBATCH_* stay too: they are a person's own defaults.
KEPT = frozenset({"SLURM_CONF", "SLURM_CLUSTERS", "SUBMITIT_LOG_LEVEL"})


def without_launch(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables less those of an enclosing distributed launch."""
    return {name: value for name, value in variables.items() if not _of_launch(name)}


@contextmanager
def outside_any_job() -> Iterator[None]:
    """os.environ without the variables of a job that this process may be part of.

    submitit starts sbatch with os.environ, and takes no other environment.
    """
    removed = {
        name: os.environ.pop(name) for name in list(os.environ) if _of_launch(name) or _of_job(name)
    }
    try:
        yield
    finally:
        os.environ.update(removed)


def _of_launch(name: str) -> bool:
    return name in LAUNCH_NAMES or name.startswith(LAUNCH_PREFIXES)


def _of_job(name: str) -> bool:
    return name not in KEPT and (name in JOB_NAMES or name.startswith(JOB_PREFIXES))
