"""Precision: bfloat16, TF32 and 4 bits, as asked for and as far as the GPU has them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import TrainingError, together

AMPERE = (8, 0)
"""The compute capability from which NVIDIA GPUs have bfloat16, TF32, and FlashAttention 2.

Source: https://docs.nvidia.com/cuda/cuda-c-programming-guide/#compute-capabilities
"""


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPU that this process computes on; `capability` is CUDA's, such as (8, 0) for an A100."""

    name: str
    capability: tuple[int, int]
    is_nvidia: bool = True

    @property
    def is_ampere(self) -> bool:
        """Whether it has the arithmetic of an A100. AMD's numbers are others: those have it."""
        return not self.is_nvidia or self.capability >= AMPERE

    @property
    def has_tf32(self) -> bool:
        """Whether PyTorch can compute float32 matrix products as TF32."""
        return self.is_nvidia and self.is_ampere


def visible_gpu() -> Gpu | None:
    """The GPU of this process, as the launcher counts them on a node; None if there is none."""
    if not torch.cuda.is_available():
        return None
    # all GPUs of a node are visible to each process until the Trainer's arguments choose one
    number = int(os.environ.get("LOCAL_RANK", "0"))
    return Gpu(
        torch.cuda.get_device_name(number),
        torch.cuda.get_device_capability(number),
        is_nvidia=torch.version.cuda is not None,
    )


def settle_precision(config: RunConfig, gpu: Gpu | None) -> RunConfig:
    """Settle what a configuration leaves open of precision, for this GPU or for the CPU.

    transformers takes a GPU for one with bfloat16 that only emulates it, and none for one without
    TF32 by raising ValueError: both are settled before it is asked.

    Raises:
        TrainingError: the GPU lacks what was asked for, or there is none; every such setting.
    """
    training = config.training
    if training.use_cpu:
        if config.model.quantization is not None:  # a fine-tuning of such a run, where no GPU is
            raise TrainingError(f"model.quantization {config.model.quantization} needs a GPU")
        return config
    if gpu is None:
        raise TrainingError(
            "no GPU is visible to this process",
            hint="ask for one with --gpus, or set training.use_cpu",
        )
    if problems := _problems(config, gpu):
        raise together(problems)
    # null in the configuration means: where there is one; what a person has said stays
    tf32 = True if training.tf32 is None and gpu.has_tf32 else training.tf32
    return config.model_copy(update={"training": training.model_copy(update={"tf32": tf32})})


def _problems(config: RunConfig, gpu: Gpu) -> list[TrainingError]:
    training, model = config.training, config.model
    lacking = {
        "bfloat16": (training.bf16 and not gpu.is_ampere, "training.bf16=false"),
        "TF32": (training.tf32 is True and not gpu.has_tf32, "training.tf32=null"),
        "FlashAttention 2": (
            model.attn_implementation == "flash_attention_2" and not gpu.is_ampere,
            "model.attn_implementation=sdpa",
        ),
    }
    return [
        TrainingError(f"{gpu.name} has no {what}", hint=hint)
        for what, (is_lacking, hint) in lacking.items()
        if is_lacking
    ]


def describe_precision(config: RunConfig, attention: str) -> str:
    """One line for the log; `attention` is what the model came to use."""
    training = config.training
    parts = [
        "bfloat16" if training.bf16 else "float32",
        *([] if training.tf32 is None else [f"TF32 {'on' if training.tf32 else 'off'}"]),
        f"attention {attention}",
        f"optimizer {training.optim}",
        "compiled" if training.torch_compile else "not compiled",
        *([f"frozen weights {config.model.quantization}"] if config.model.quantization else []),
    ]
    return f"arithmetic: {', '.join(parts)}"
