"""What is wrong with settings that only GPUs obey, as far as that is known without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iacfilter_hpc.config import Approach, Model, Training


def gpu_problems(approach: Approach, model: Model, training: Training) -> list[str]:
    """What a CPU cannot do, and what does not go with a model in 4 bits."""
    return [*_on_a_cpu(model, training), *_in_4_bits(approach, model, training)]


def _on_a_cpu(model: Model, training: Training) -> list[str]:
    if not training.use_cpu:
        return []
    flash = model.attn_implementation == "flash_attention_2"
    wanted = {
        "training.tf32": training.tf32,
        "model.attn_implementation flash_attention_2": flash,
        "model.quantization": model.quantization,
    }
    return [
        f"{name} is for GPUs, not for training.use_cpu=true"
        for name, is_wanted in wanted.items()
        if is_wanted
    ]


def _in_4_bits(approach: Approach, model: Model, training: Training) -> list[str]:
    """Source: https://huggingface.co/docs/peft/v0.21.0/accelerate/deepspeed, which has ZeRO-3 too.

    transformers' validate_quantization_for_training refuses a compiled model.
    """
    if model.quantization is None:
        return []
    problems = []
    if approach == "encoder":
        problems.append(
            "model.quantization is for the generative approach: an encoder trains all weights"
        )
    if model.dtype != "bfloat16":
        problems.append(f"model.quantization needs model.dtype bfloat16, not {model.dtype}")
    if training.torch_compile:
        problems.append("training.torch_compile does not go with model.quantization")
    return problems
