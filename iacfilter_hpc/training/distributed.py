"""Distributed setup: how processes train together, and that it is what was asked for."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace

import torch
from accelerate.state import PartialState
from transformers import TrainingArguments

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import TrainingError, counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DistributedSetup:
    """Setup of the processes that train together.

    `distributed` is the value of accelerate's DistributedType, `backend` that of torch.distributed,
    None for a lone process.
    """

    distributed: str
    backend: str | None
    processes: int

    def __str__(self) -> str:
        processes = counted(self.processes, "process", "processes")
        return f"{self.distributed}, {self.backend or 'no backend'}, {processes}"


def expected_setup(config: RunConfig) -> DistributedSetup:
    """Setup that the configuration asks for."""
    if config.accelerate.deepspeed_config_file is None:
        return DistributedSetup("NO", None, config.num_processes)
    return DistributedSetup(
        "DEEPSPEED", "gloo" if config.training.use_cpu else "nccl", config.num_processes
    )


def launched_setup(args: TrainingArguments) -> DistributedSetup:
    """Setup that the launch leads to, known before any model is loaded.

    On CPU accelerate turns to DeepSpeed only when the Trainer is made, hence the plugin.
    """
    actual = actual_setup()
    return replace(actual, distributed="DEEPSPEED") if args.deepspeed_plugin else actual


def actual_setup() -> DistributedSetup:
    """Setup that accelerate and torch.distributed run, final once the Trainer is made."""
    state = PartialState()
    backend = torch.distributed.get_backend() if torch.distributed.is_initialized() else None
    return DistributedSetup(state.distributed_type.value, backend, state.num_processes)


def skip_shared_memory_op(config: RunConfig) -> None:
    """Keep DeepSpeed on CPU from compiling its shared-memory operator; gloo does the same work.

    Building it takes a C++ compiler and about a minute of each cold start. Must run before
    torch.distributed starts.
    """
    if config.training.use_cpu and config.accelerate.deepspeed_config_file is not None:
        import deepspeed.ops

        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        logger.info("distributed: DeepSpeed's deepspeed_shm_comm is off, gloo communicates")


def check_setup(config: RunConfig, actual: DistributedSetup) -> None:
    """Compare what runs with what `config` asks for; accelerate itself goes on silently.

    Several launches that look right train something else and exit with 0: ACCELERATE_USE_CPU=true
    turns DeepSpeed into DDP, and pdsh without a host file trains on one node of two.

    Raises:
        TrainingError: they differ.
    """
    # without DeepSpeed's flags each process would train a model of its own, and all write one run
    expected = expected_setup(config)
    if expected == actual:
        return
    if expected.distributed == "DEEPSPEED":
        hint = "start it with `accelerate launch --use_deepspeed` and unset ACCELERATE_USE_CPU"
    else:
        hint = "start it with `accelerate launch --num_processes 1`, without DeepSpeed"
    raise TrainingError(f"training was to run as {expected}, but runs as {actual}", hint=hint)


def check_one_gpu(args: TrainingArguments) -> None:
    """See that a process has no second GPU, over which the Trainer would split its batches.

    Raises:
        TrainingError: it has.
    """
    # nn.DataParallel cuts tensors along their first dimension, which in a packed row is not that of
    # the samples; it would also make the batch n_gpu times what was asked for
    if args.n_gpu > 1:
        raise TrainingError(
            f"one process sees {args.n_gpu} GPUs",
            hint="give the job one, or set CUDA_VISIBLE_DEVICES",
        )


def describe(args: TrainingArguments) -> str:
    """One line for the log, such as "DEEPSPEED zero2, gloo, 2 processes on 1 node"."""
    actual = actual_setup()
    if args.deepspeed_plugin is None:
        return f"{actual.distributed}, {actual.processes} process on {args.device}"
    stage = args.deepspeed_plugin.zero_stage
    # the launcher tells each process how many there are on its node
    nodes = actual.processes // int(os.environ.get("LOCAL_WORLD_SIZE", actual.processes))
    return (
        f"{actual.distributed} zero{stage}, {actual.backend}, "
        f"{counted(actual.processes, 'process', 'processes')} on {counted(nodes, 'node')}"
    )
