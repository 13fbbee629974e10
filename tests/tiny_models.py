"""Tiny models, made once a session; one thread each, for tests share their cores."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from iacfilter_hpc.inputs.tokenizer import PromptTokenizer, load_tokenizer, settle_special_tokens
from iacfilter_hpc.training.approaches import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_generative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tiny") / "generative"
    tiny.build_tiny_model("generative", directory)
    return directory


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tiny") / "encoder"
    tiny.build_tiny_model("encoder", directory)
    return directory


@pytest.fixture(scope="session")
def encoder_tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_encoder, None)


@pytest.fixture(scope="session", params=["metaspace", "byte-level"])
def prompt_tokenizer(
    request: pytest.FixtureRequest, tiny_generative: Path, tiny_encoder: Path
) -> PromptTokenizer:
    """Both styles of tokenizer; the byte-level one serves a causal model as Qwen's does."""
    directory = tiny_generative if request.param == "metaspace" else tiny_encoder
    tokenizer = load_tokenizer(directory, None)
    return settle_special_tokens(tokenizer, len(tokenizer))
