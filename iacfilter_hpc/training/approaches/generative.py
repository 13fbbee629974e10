"""The generative approach: a causal model with LoRA that answers TP or FP after the prompt."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from iacfilter_hpc.config.schema import Lora, Training
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.dataset import IGNORE_INDEX
from iacfilter_hpc.packing.attention import attention_inputs
from iacfilter_hpc.packing.collators import Batch
from iacfilter_hpc.training.approaches.loading import PLAIN, Loading
from iacfilter_hpc.training.trainer import DecisionTrainer


class GenerativeTrainer(DecisionTrainer):
    """Loss only on the answer and EOS; a decision compares TP with FP at the answer's position."""

    answers: Answers

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save adapter and tokenizer; every process must call this.

        Below ZeRO-3 each process holds whole weights, and the Trainer's own way through DeepSpeed
        would copy the frozen model to host memory once a process (13 GB each for 7B).
        """
        if is_deepspeed_zero3_enabled():
            super().save_model(output_dir, _internal_call)
        else:
            self._save(output_dir)

    def sample_losses(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Summed cross entropy of answer and EOS of each sample, shape [batch]."""
        return (tree_losses if "tree" in batch else answer_losses)(model, batch)

    def decision_logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Logits of FP and TP, shape [batch, 2]."""
        return (tree_logits if "tree" in batch else answer_logits)(model, batch, self.answers)


def answer_losses(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Summed cross entropy of each row's labels, shape [batch]; logits only where labels are."""
    labels = batch["labels"]
    # the logits of a position predict the token after it
    predicting = torch.zeros_like(labels, dtype=torch.bool)
    predicting[:, :-1] = labels[:, 1:] != IGNORE_INDEX
    logits = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        logits_to_keep=predicting,
    ).logits
    targets = labels[:, 1:][predicting[:, :-1]]
    losses = nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    rows = predicting.nonzero()[:, 0]
    return torch.zeros(len(labels), device=losses.device).index_add(0, rows, losses)


def answer_logits(model: nn.Module, batch: Batch, answers: Answers) -> torch.Tensor:
    """Logits of FP and TP at the end of each right-padded input, shape [batch, 2].

    Their softmax is p(FP), p(TP) given that the model answers one of the two.
    """
    last = batch["attention_mask"].sum(dim=1, keepdim=True) - 1
    logits: torch.Tensor = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], logits_to_keep=last
    ).logits
    return logits[:, 0, [answers.fp[0], answers.tp[0]]]


def tree_losses(model: nn.Module, batch: Batch) -> torch.Tensor:
    """As `answer_losses`, of a batch of TreeCollator, to which it is equal but for rounding."""
    logits = _kept_logits(model, batch).float()[batch["picked"]]
    losses = nn.functional.cross_entropy(logits, batch["target"], reduction="none")
    return torch.zeros(len(batch["label"]), device=losses.device).index_add(
        0, batch["owner"], losses
    )


def tree_logits(model: nn.Module, batch: Batch, answers: Answers) -> torch.Tensor:
    """As `answer_logits`, of a batch of TreeCollator without labels."""
    return _kept_logits(model, batch)[batch["picked"]][:, [answers.fp[0], answers.tp[0]]]


def _kept_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Logits where the batch needs them, shape [kept, vocabulary]."""
    ids = batch["input_ids"]
    logits: torch.Tensor = model(
        input_ids=ids,
        position_ids=batch["position_ids"],
        logits_to_keep=batch["kept"],
        use_cache=False,
        **attention_inputs(batch["form"], batch["tree"], 0, ids.device),
    ).logits
    return logits[0]


def load_base(
    source: str | Path, revision: str | None, dtype: str, loading: Loading = PLAIN
) -> PreTrainedModel:
    """The pretrained causal model, weights in `dtype`."""
    return AutoModelForCausalLM.from_pretrained(
        source,
        revision=revision,
        dtype=getattr(torch, dtype),
        device_map=loading.device_map,
        attn_implementation=loading.attention,
        quantization_config=loading.quantization_config,
        trust_remote_code=False,
    )


def add_adapter(
    base: PreTrainedModel, lora: Lora, training: Training, trained: Path | None = None
) -> nn.Module:
    """The model with a LoRA adapter, the only part that trains: fresh, or the one in `trained`."""
    if getattr(base, "is_loaded_in_4bit", False):
        # norms and embeddings in float32; the Trainer turns activation checkpointing on itself
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]
    if training.activation_checkpointing:
        # recomputation needs a gradient at the inputs, which frozen embeddings do not give
        base.enable_input_require_grads()
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


def model_sizes(source: str | Path, revision: str | None) -> tuple[int, int]:
    """Embedding rows and positions (tokens) of a model, from its config alone."""
    config = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    return config.vocab_size, config.max_position_embeddings
