"""The encoder approach: all weights of a classifier with the classes FP and TP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    T5ForSequenceClassification,
    TrainingArguments,
)

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.inputs.model_inputs import FieldInputs, ModelInputs
from iacfilter_hpc.inputs.tokenizer import load_tokenizer
from iacfilter_hpc.packing.attention import Blocks
from iacfilter_hpc.packing.attention_choice import Choice, choose_for_snippets
from iacfilter_hpc.packing.collators import Batch, FlatCollator, PadCollator
from iacfilter_hpc.samples.sample import LABELS
from iacfilter_hpc.trained_model.card import CardFacts
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.save import WHOLE
from iacfilter_hpc.training.approaches.base import Approach, TrainableModel
from iacfilter_hpc.training.approaches.loading import PLAIN, Loading, attention_of, loading_for
from iacfilter_hpc.training.approaches.scorer import Scorer, logits_by_batch
from iacfilter_hpc.training.approaches.tiny import write_roberta
from iacfilter_hpc.training.trainer.decision_trainer import DecisionTrainer


class EncoderTrainer(DecisionTrainer):
    """Trainer of encoders: cross entropy of the two classes."""

    def sample_losses(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross entropy of each sample, shape [batch]."""
        # float32 also where the model computes in bfloat16, which has 8 significant bits
        logits = self.decision_logits(model, batch).float()
        return nn.functional.cross_entropy(logits, batch["label"], reduction="none")

    def decision_logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Logits of FP and TP, shape [batch, 2]."""
        # accelerate's own autocast is around the model's whole pass, which packed rows go past
        with self.accelerator.autocast():
            return class_logits(model, batch)


def class_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Logits of FP and TP, shape [batch, 2]; of a padded batch or one of FlatCollator."""
    # by what the batch holds, since training and scoring may lay out rows otherwise
    if "gather" in batch:
        return _packed_logits(model, batch)
    if isinstance(model, T5ForSequenceClassification):
        return _last_token_logits(model, batch)
    logits: torch.Tensor = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
    ).logits
    return logits


def _packed_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    # past the model's own forward: its head would take the first token of the row, which is that of
    # one sequence of many
    hidden = model.base_model(  # type: ignore[operator]  # a module
        input_ids=batch["input_ids"],
        token_type_ids=batch["token_type_ids"],
        position_ids=batch["position_ids"],
        blocks=Blocks(batch["gather"], batch["inside"], batch["back"]),
    ).last_hidden_state
    # [rows, 1, hidden]: heads and poolers take [:, 0] of what they get
    first = hidden[0, batch["gather"][:, 0]][:, None]
    pooler = getattr(model.base_model, "pooler", None)
    logits: torch.Tensor = model.classifier(  # type: ignore[operator]
        first if pooler is None else model.dropout(pooler(first))  # type: ignore[operator]
    )
    return logits


def _last_token_logits(model: T5ForSequenceClassification, batch: Batch) -> torch.Tensor:
    # past the model's own forward, which decides by the decoder's state at the last EOS and wants
    # as many EOS in each row: it is the separator too, of which a row that was cut has fewer. The
    # last token of every row is one, so this is the same state.
    ids, mask = batch["input_ids"], batch["attention_mask"]
    begin = ids.new_full((len(ids), 1), model.config.decoder_start_token_id)
    hidden = model.transformer(
        input_ids=ids,
        attention_mask=mask,
        decoder_input_ids=torch.cat([begin, ids[:, :-1]], dim=1),
        use_cache=False,
    ).last_hidden_state
    last = mask.sum(dim=1) - 1
    rows = torch.arange(len(ids), device=ids.device)
    logits: torch.Tensor = model.classification_head(hidden[rows, last])
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
        # never "auto", the default: that is whatever the file happens to hold
        dtype=getattr(torch, dtype),
        device_map=loading.device_map,
        attn_implementation=loading.attention,
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        trust_remote_code=False,
    )
    # A file holds tied weights once, as T5's embeddings. The Trainer warns of the other names as
    # missing where it loads its best checkpoint, unless they are known not to be saved.
    if tied := set(model.all_tied_weights_keys):
        model._keys_to_ignore_on_save = tied
    return model


class Encoder(Approach):
    """A pretrained encoder of which all weights are trained; packed rows if its class is known."""

    trainer = EncoderTrainer
    weights = WHOLE
    card = CardFacts(
        what="An encoder with a classifying head",
        library_name="transformers",
        pipeline_tag="text-classification",
    )
    # on two CPU cores snippets were scored at 132 and 100 a second with 1,024 and 8,192 tokens;
    # that of a GPU is a guess
    tokens_per_batch = {"cpu": 1024, "cuda": 8192}  # noqa: RUF012 - a constant

    def load_inputs(
        self,
        source: str | Path,
        revision: str | None,
        max_length: int,
        input_fields: Sequence[str] | None,
    ) -> FieldInputs:
        """See Approach."""
        assert input_fields, "checked by RunConfig"
        return FieldInputs(
            tokenizer=load_tokenizer(source, revision),
            fields=tuple(input_fields),
            max_length=max_length,
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
        # a final/ is a directory, which has no revisions
        revision = config.model.revision if trained is None else None
        loading = loading_for(config.model, args)
        model = load_classifier(trained or source, revision, config.model.dtype, loading)
        choice = choose_for_snippets(model, config.packed_attention)
        return TrainableModel(
            model=model,
            choice=choice,
            attention=attention_of(model),
            layout="flat" if choice.packed else "padded",
            collator=_collator(model, choice, inputs),
        )

    def load_scorer(self, final: Path, decision: Decision, device: torch.device) -> Scorer:
        """See Approach."""
        model = load_classifier(final, None, decision.dtype)
        # whatever training used: padded and packed rows give the same logits but for rounding
        choice = choose_for_snippets(model, "auto")
        model.to(device).eval()  # type: ignore[arg-type]  # a decorator hides its signature
        inputs = self.load_inputs(final, None, decision.max_length, decision.input_fields)
        collate = _collator(model, choice, inputs)
        return Scorer(
            decision=decision,
            model=model,
            device=device,
            choice=choice,
            encode=inputs.encode,
            logits=lambda rows, budget: logits_by_batch(
                rows, budget, collate, lambda batch: class_logits(model, batch), device
            ),
            tokens_per_batch=self.tokens_per_batch[device.type],
        )

    def write_tiny_model(self, directory: Path, texts: Sequence[str]) -> None:
        """See Approach."""
        write_roberta(directory, texts)


def _collator(
    model: PreTrainedModel, choice: Choice, inputs: ModelInputs
) -> FlatCollator | PadCollator:
    if choice.packed is not None:
        return FlatCollator(first_position(model))
    assert inputs.tokenizer is not None, "an encoder's"
    return PadCollator(inputs.tokenizer.pad_token_id)
