"""LoRA: the adapter that trains in place of a causal model's own weights (PEFT).

Source: https://arxiv.org/abs/2106.09685
"""

from __future__ import annotations

from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import nn
from transformers import PreTrainedModel

from iacfilter_hpc.config.schema import Lora, Training


def add_adapter(
    base: PreTrainedModel, lora: Lora, training: Training, trained: Path | None = None
) -> nn.Module:
    """Add a LoRA adapter, the only part that trains: a fresh one, or the one in `trained`."""
    if getattr(base, "is_loaded_in_4bit", False):
        # norms and embeddings in float32; the Trainer turns activation checkpointing on itself
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]
    if training.activation_checkpointing:
        # recomputation needs a gradient at the inputs, which frozen embeddings do not give
        base.enable_input_require_grads()
    # its rank and targets are those that it was saved with, whatever the configuration says
    if trained is not None:
        return PeftModel.from_pretrained(base, trained, is_trainable=True)
    targets = lora.target_modules
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
    )
    return get_peft_model(base, adapter)
