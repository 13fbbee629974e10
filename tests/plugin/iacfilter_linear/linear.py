"""A linear classifier over hashed words: its own tokens, its own model, its own file of weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import TrainingArguments

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.model_inputs import ModelInputs
from iacfilter_hpc.packing.attention_choice import Choice
from iacfilter_hpc.packing.collators import Batch, PadCollator
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.card import CardFacts
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.save import WHOLE, Weights
from iacfilter_hpc.training.approaches.base import Approach, TrainableModel
from iacfilter_hpc.training.approaches.scorer import Scorer, logits_by_batch
from iacfilter_hpc.training.trainer.decision_trainer import DecisionTrainer

WEIGHTS = Weights("linear.safetensors")
BUCKETS = 512
NO_ATTENTION = Choice(None, "a linear classifier has no attention")


@dataclass(frozen=True, kw_only=True)
class HashedWords(ModelInputs):
    """Words of some fields, each the number of its bucket."""

    buckets: int
    fields: tuple[str, ...]
    max_length: int

    def encode(self, samples: Sequence[Sample]) -> list[Encoded]:
        """The first words of each sample, at least one."""
        return [self._encoded(" ".join(getattr(s, name) for name in self.fields)) for s in samples]

    def _encoded(self, text: str) -> Encoded:
        words = re.findall(r"\w+", text.lower()) or [""]
        ids = tuple(crc32(word.encode()) % self.buckets for word in words[: self.max_length])
        return Encoded(ids, tokens_dropped=len(words) - len(ids))


class LinearModel(nn.Module):
    """Mean of the weights [FP, TP] of a sample's words."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weights, freeze=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of FP and TP, shape [batch, 2]."""
        inside = attention_mask[:, :, None].float()
        return (self.words(input_ids) * inside).sum(1) / inside.sum(1)


class LinearTrainer(DecisionTrainer):
    """Cross entropy of the two classes."""

    def sample_losses(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross entropy of each sample, shape [batch]."""
        logits = self.decision_logits(model, batch)
        return nn.functional.cross_entropy(logits, batch["label"], reduction="none")

    def decision_logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Logits of FP and TP, shape [batch, 2]."""
        return logits_of(model, batch)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """What is final has a name of its own; checkpoints keep the one that the Trainer reads."""
        super().save_model(output_dir, _internal_call)
        if not _internal_call:
            assert output_dir is not None, "a directory is asked for"
            saved = Path(output_dir) / WHOLE.file
            save_file({"weight": load_file(saved)["words.weight"]}, saved.with_name(WEIGHTS.file))
            saved.unlink()


class Linear(Approach):
    """The torch half of iacfilter_linear.LINEAR."""

    trainer = LinearTrainer
    weights = WEIGHTS
    card = CardFacts(
        what="A linear classifier over hashed words",
        library_name="pytorch",
        pipeline_tag="text-classification",
        tags=("linear",),
    )
    tokens_per_batch = {"cpu": 65536, "cuda": 65536}  # noqa: RUF012 - a constant

    def load_inputs(
        self,
        source: str | Path,
        revision: str | None,
        max_length: int,
        input_fields: Sequence[str] | None,
    ) -> HashedWords:
        """See Approach."""
        assert input_fields, "checked by RunConfig"
        return HashedWords(
            buckets=len(weights_in(source)), fields=tuple(input_fields), max_length=max_length
        )

    def load_model(
        self,
        config: RunConfig,
        args: TrainingArguments,
        source: str | Path,
        inputs: ModelInputs,
        longest: int,
        trained: Path | None,
    ) -> TrainableModel:
        """See Approach."""
        return TrainableModel(
            model=LinearModel(weights_in(trained or source)),
            choice=NO_ATTENTION,
            attention="none",
            layout="padded",
            collator=PadCollator(0),
        )

    def load_scorer(self, final: Path, decision: Decision, device: torch.device) -> Scorer:
        """See Approach."""
        model = LinearModel(weights_in(final)).to(device).eval()
        inputs = self.load_inputs(final, None, decision.max_length, decision.input_fields)
        return Scorer(
            decision=decision,
            model=model,
            device=device,
            choice=NO_ATTENTION,
            encode=inputs.encode,
            logits=lambda rows, budget: logits_by_batch(
                rows, budget, PadCollator(0), lambda batch: logits_of(model, batch), device
            ),
            tokens_per_batch=self.tokens_per_batch[device.type],
        )

    def write_tiny_model(self, directory: Path, texts: Sequence[str]) -> None:
        """See Approach."""
        save_file({"weight": torch.randn(BUCKETS, 2)}, directory / WEIGHTS.file)


def logits_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Logits of FP and TP, shape [batch, 2]."""
    logits: torch.Tensor = model(batch["input_ids"], batch["attention_mask"])
    return logits


def weights_in(directory: str | Path) -> torch.Tensor:
    """Weights [FP, TP] of each bucket, shape [buckets, 2]."""
    path = Path(directory) / WEIGHTS.file
    if not path.is_file():
        raise TrainingError(f"{path} does not exist", hint="--model-name tiny makes one")
    return load_file(path)["weight"]
