"""What is measured: token ids of prompts and snippets, and models bound by arithmetic."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from iacfilter_hpc.inputs.dataset import IGNORE_INDEX
from iacfilter_hpc.packing.collators import Row
from iacfilter_hpc.packing.prefixes import Ids, grow
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.samples.prompt import build_prompt
from iacfilter_hpc.samples.sample import Sample, read_samples

VOCABULARY = 2048
"""Of the causal model: its head is then 4 % of the weights, 2 % in a model of 7 B."""
PIECES = 2000
"""Of the tokenizer, which is trained on the texts: it makes about as many tokens of a snippet as
CodeBERT's does (23), and of a prompt as CodeLlama's."""
TP, FP, EOS = 323, 383, 2


@dataclass(frozen=True, slots=True)
class Prompts:
    """A set of prompts as tokens, and the length that a padded form pads them to."""

    name: str
    ids: tuple[Ids, ...]
    limit: int

    @property
    def tokens(self) -> int:
        return sum(map(len, self.ids))

    @property
    def sharing(self) -> float:
        """Tokens of all prompts by those of their prefix tree: the limit of what sharing gives."""
        return self.tokens / grow(self.ids, 1).size

    def rows(self) -> list[Row]:
        """Prompts with an answer and EOS, as training reads them."""
        made = []
        for i, ids in enumerate(self.ids):
            answer = [(FP, TP)[i % 2], EOS]
            labels = [IGNORE_INDEX] * len(ids) + answer
            made.append(Row(input_ids=[*ids, *answer], labels=labels, label=i % 2))
        return made


def samples(data: Path | None) -> list[Sample]:
    """Real detections of a folder, or the demo's, twelve times in other files."""
    if data is not None:
        return read_samples(data / "corpus" / "pilot_train.jsonl")
    files = sorted(resource("configs", "demo").glob("*.jsonl"))
    demo = [sample for file in files for sample in read_samples(file)]
    return [_copy(sample, number) for number in range(12) for sample in demo]


def _copy(sample: Sample, number: int) -> Sample:
    """The sample in another file: equal ones would be computed once."""
    file = f"copy-{number}/{sample.file}"
    return replace(
        sample,
        file=file,
        content=f"{sample.content} # {number}",
        with_prompt=sample.with_prompt.replace(sample.file, file),
    )


def prompt_sets(detections: Sequence[Sample], seed: int = 0) -> list[Prompts]:
    """(i) prompts as they are, (ii) of our template, within 512 tokens, (iii) synthetic."""
    ours = [
        build_prompt(s.smell, s.file, s.line, s.detection_span[0], s.with_context.split("\n"))
        for s in detections
    ]
    given = [s.with_prompt for s in detections]
    bpe = byte_pairs([*ours, *given])
    sets = []
    for name, texts in (("as they are", given), ("our template", ours)):
        ids = [tuple(1 + i % (VOCABULARY - 1) for i in bpe.encode(text).ids) for text in texts]
        sets.append(Prompts(name, tuple(i for i in ids if len(i) <= 510), 512))
    return [*sets, synthetic(seed)]


def synthetic(seed: int) -> Prompts:
    """600 prompts of 391 shared tokens, of 12 kinds, and 275 of their own (sd 60)."""
    draw = random.Random(seed)
    tokens = lambda n: tuple(draw.randrange(3, VOCABULARY) for _ in range(n))  # noqa: E731
    kinds = [tokens(391) for _ in range(12)]
    lengths = [min(500, max(60, round(draw.gauss(275, 60)))) for _ in range(600)]
    return Prompts(
        "synthetic", tuple(kinds[i % 12] + tokens(n) for i, n in enumerate(lengths)), 1024
    )


def snippets(detections: Sequence[Sample]) -> list[Row]:
    """One-line contents between CLS and SEP, as the encoder reads them."""
    bpe = byte_pairs([s.content for s in detections])
    return [
        Row(input_ids=[0, *(4 + i for i in bpe.encode(s.content).ids[:254]), 2], label=i % 2)
        for i, s in enumerate(detections)
    ]


def byte_pairs(texts: Sequence[str]) -> Tokenizer:
    """A byte-level tokenizer trained on texts."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=PIECES, initial_alphabet=alphabet, show_progress=False),
    )
    return bpe


def causal(adapter: bool) -> nn.Module:
    """A Llama of 5 layers x 768, 38.5 M weights of which 1.6 M the head, under LoRA of rank 16."""
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=768,
            intermediate_size=2048,
            num_hidden_layers=5,
            num_attention_heads=12,
            num_key_value_heads=12,
            max_position_embeddings=2048,
        )
    )
    if not adapter:
        return base.eval()
    config = LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear"
    )
    model: Any = get_peft_model(base, config)
    return model


def smallest() -> Any:
    """A causal model that computes next to nothing: to count what passes it."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            max_position_embeddings=2048,
        )
    ).eval()


def encoder() -> RobertaForSequenceClassification:
    """A RoBERTa of 8 layers x 512: 25 M weights, and 3 M of embeddings."""
    torch.manual_seed(0)
    return RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=PIECES + 4,
            hidden_size=512,
            intermediate_size=2048,
            num_hidden_layers=8,
            num_attention_heads=8,
            max_position_embeddings=514,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
