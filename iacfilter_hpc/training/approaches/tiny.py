"""Tiny random models with tokenizers of their own, made offline from the demo texts.

They exercise every path of the real ones in seconds: CodeLlama's style of tokenizer, without a pad
token, and RoBERTa's. The same versions of the libraries write the same bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    PreTrainedTokenizerBase,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaTokenizer,
)

from iacfilter_hpc.checkpoints.permissions import share
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.training.approaches.base import approach_named

# 259 and 261 of them are special tokens and bytes; the others are learned from the texts
GENERATIVE_VOCABULARY = 1024
ENCODER_VOCABULARY = 768
SEED = 0
"""Not the run's: all runs of a version have the same tiny model."""


def build_tiny_model(approach: str, directory: Path) -> None:
    """Write a tiny model and its tokenizer to `directory`, complete or not at all."""
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # a private random state: making the model must not shift the run's own
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        approach_named(approach).write_tiny_model(partial, demo_texts())
    share(partial)
    # the name appears last: a process that is killed before leaves nothing that looks like a model
    partial.replace(directory)


def demo_texts() -> list[str]:
    """Every text of the demo files, sorted."""
    texts = set()
    for path in sorted(resource("configs", "demo").glob("*.jsonl")):
        for sample in read_samples(path):
            texts |= {sample.with_prompt, sample.content, sample.smell.replace("_", " ")}
    return sorted(texts)


def write_llama(directory: Path, texts: Sequence[str]) -> None:
    """A causal model in CodeLlama's style."""
    tokenizer = llama_tokenizer(texts)
    _llama(tokenizer).save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def write_roberta(directory: Path, texts: Sequence[str]) -> None:
    """A classifier in CodeBERT's style."""
    tokenizer = roberta_tokenizer(texts)
    _roberta(tokenizer).save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def llama_tokenizer(texts: Sequence[str]) -> LlamaTokenizer:
    """A SentencePiece-like BPE with byte fallback; <unk>, <s>, </s>, and no pad token."""
    special = ["<unk>", "<s>", "</s>"]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    bpe = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    # lines and words are trained apart, as SentencePiece does
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Metaspace()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=GENERATIVE_VOCABULARY, special_tokens=[*special, *bytes_], show_progress=False
    )
    bpe.train_from_iterator(["Answer: TP", "Answer: FP", *texts], trainer)
    return LlamaTokenizer(vocab=bpe.get_vocab(), merges=_merges(bpe), pad_token=None)


def roberta_tokenizer(texts: Sequence[str]) -> RobertaTokenizer:
    """A byte-level BPE with RoBERTa's special tokens."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=ENCODER_VOCABULARY,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return RobertaTokenizer(vocab=bpe.get_vocab(), merges=_merges(bpe), model_max_length=512)


def _merges(bpe: Tokenizer) -> list[Any]:
    """Pairs of pieces; transformers annotates them as text, and takes pairs."""
    merges = json.loads(bpe.to_str())["model"]["merges"]
    return [(left, right) for left, right in merges]


def _llama(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=4096,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            tie_word_embeddings=False,  # nor are CodeLlama's
            # wide enough for a frozen random head to be sure of a token
            initializer_range=0.2,
        )
    )


def _roberta(tokenizer: PreTrainedTokenizerBase) -> RobertaForSequenceClassification:
    return RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            # RoBERTa counts positions from its pad token's id + 1
            max_position_embeddings=514,
            type_vocab_size=1,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
