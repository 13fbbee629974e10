"""The encoder approach: all weights of a classifier with the classes FP and TP."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from iacfilter_hpc.packing.attention import Blocks
from iacfilter_hpc.packing.collators import Batch
from iacfilter_hpc.samples.sample import LABELS
from iacfilter_hpc.training.approaches.loading import PLAIN, Loading
from iacfilter_hpc.training.trainer import DecisionTrainer


class EncoderTrainer(DecisionTrainer):
    """Cross entropy of the two classes."""

    def sample_losses(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross entropy of each sample, shape [batch]."""
        logits = self.decision_logits(model, batch).float()
        return nn.functional.cross_entropy(logits, batch["label"], reduction="none")

    def decision_logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Logits of FP and TP, shape [batch, 2]."""
        # accelerate's own autocast is around the model's whole pass, which packed rows go past
        with self.accelerator.autocast():
            return class_logits(model, batch)


def class_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Logits of FP and TP, shape [batch, 2]; of a padded batch or one of FlatCollator."""
    if "gather" in batch:
        return _packed_logits(model, batch)
    logits: torch.Tensor = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
    ).logits
    return logits


def _packed_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    hidden = model.base_model(  # type: ignore[operator]  # a module
        input_ids=batch["input_ids"],
        token_type_ids=batch["token_type_ids"],
        position_ids=batch["position_ids"],
        blocks=Blocks(batch["gather"], batch["inside"], batch["back"]),
    ).last_hidden_state
    # the model's head takes the first token of each row
    first = hidden[0, batch["gather"][:, 0]][:, None]
    pooler = getattr(model.base_model, "pooler", None)
    logits: torch.Tensor = model.classifier(  # type: ignore[operator]
        first if pooler is None else model.dropout(pooler(first))  # type: ignore[operator]
    )
    return logits


def first_position(model: PreTrainedModel) -> int:
    """The position of a sequence's first token: RoBERTa's embeddings count from their pad's on."""
    begins = getattr(model.base_model.embeddings, "padding_idx", None)
    return 0 if begins is None else int(begins) + 1


def load_classifier(
    source: str | Path, revision: str | None, dtype: str, loading: Loading = PLAIN
) -> PreTrainedModel:
    """A pretrained encoder under a classification head (fresh unless `source` has one)."""
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        source,
        revision=revision,
        dtype=getattr(torch, dtype),
        device_map=loading.device_map,
        attn_implementation=loading.attention,
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        trust_remote_code=False,
    )
    return model
