"""Say and check how this process takes part in training: what runs must be what was asked for."""

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
class Setting:
    """How processes work together; `backend` is torch.distributed's, None for a lone process."""

    distributed: str
    backend: str | None
    processes: int

    def __str__(self) -> str:
        return f"{self.distributed}, {self.backend or 'no backend'}, {self.processes} process(es)"


def expected_setting(config: RunConfig) -> Setting:
    """What the configuration asks for."""
    if config.accelerate.deepspeed_config_file is None:
        return Setting("NO", None, config.num_processes)
    return Setting("DEEPSPEED", "gloo" if config.training.use_cpu else "nccl", config.num_processes)


def launched_setting(args: TrainingArguments) -> Setting:
    """What the launch leads to, known before any model is loaded.

    On CPU accelerate turns to DeepSpeed only when the Trainer is made, hence the plugin.
    """
    actual = actual_setting()
    return replace(actual, distributed="DEEPSPEED") if args.deepspeed_plugin else actual


def actual_setting() -> Setting:
    """What accelerate and torch.distributed run, final once the Trainer is made."""
    state = PartialState()
    backend = torch.distributed.get_backend() if torch.distributed.is_initialized() else None
    return Setting(state.distributed_type.value, backend, state.num_processes)


def skip_shared_memory_op(config: RunConfig) -> None:
    """Keep DeepSpeed on CPU from compiling its shared-memory operator; gloo does the same work.

    Building it takes a C++ compiler and about a minute of each cold start. Must run before
    torch.distributed starts.
    """
    if config.training.use_cpu and config.accelerate.deepspeed_config_file is not None:
        import deepspeed.ops

        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        logger.info("distributed: DeepSpeed's deepspeed_shm_comm is off, gloo communicates")


def check_setting(config: RunConfig, actual: Setting) -> None:
    """Compare what runs with what `config` asks for; accelerate itself goes on silently.

    Raises:
        TrainingError: they differ.
    """
    expected = expected_setting(config)
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
    if args.n_gpu > 1:
        raise TrainingError(
            f"one process sees {args.n_gpu} GPUs",
            hint="give the job one, or set CUDA_VISIBLE_DEVICES",
        )


def describe(args: TrainingArguments) -> str:
    """One line for the log, such as "DEEPSPEED zero2, gloo, 2 processes on 1 node"."""
    actual = actual_setting()
    if args.deepspeed_plugin is None:
        return f"{actual.distributed}, {actual.processes} process on {args.device}"
    stage = args.deepspeed_plugin.zero_stage
    nodes = actual.processes // int(os.environ.get("LOCAL_WORLD_SIZE", actual.processes))
    return (
        f"{actual.distributed} zero{stage}, {actual.backend}, "
        f"{counted(actual.processes, 'process', 'processes')} on {counted(nodes, 'node')}"
    )
