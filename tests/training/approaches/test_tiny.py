"""Tiny models are the same bytes each time, and load as any other."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from iacfilter_hpc.inputs.tokenizer import load_tokenizer, settle_special_tokens
from iacfilter_hpc.training.approaches.tiny import build_tiny_model

pytestmark = pytest.mark.train

BUILD = """
import sys
from pathlib import Path
from iacfilter_hpc.training.approaches.tiny import build_tiny_model
build_tiny_model(sys.argv[1], Path(sys.argv[2]))
"""


def digests(directory: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in directory.iterdir()}


@pytest.mark.parametrize("approach", ["generative", "encoder"])
def test_two_builds_are_identical(
    approach: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    here = request.getfixturevalue(f"tiny_{approach}")
    # another process: another hash seed
    subprocess.run([sys.executable, "-c", BUILD, approach, tmp_path / "again"], check=True)
    assert digests(here) == digests(tmp_path / "again")
    assert "model.safetensors" in digests(here)


def test_building_leaves_the_random_state_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    build_tiny_model("generative", tmp_path / "model")
    assert torch.equal(before, torch.get_rng_state())
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_generative_is_like_codellama(tiny_generative: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_generative)
    tokenizer = load_tokenizer(tiny_generative, None)
    assert tokenizer.pad_token is None
    assert model.config.max_position_embeddings >= 4096
    prompt_tokenizer = settle_special_tokens(tokenizer, model.config.vocab_size)
    assert prompt_tokenizer.pad == tokenizer.unk_token_id != prompt_tokenizer.eos
    text = "- name: caf\u00e9\n  \u2192 x"
    assert tokenizer.decode(prompt_tokenizer.encode(text)) == text


def test_encoder_is_like_roberta(tiny_encoder: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_encoder)
    tokenizer = load_tokenizer(tiny_encoder, None)
    assert model.config.num_labels == 2
    assert (tokenizer.cls_token, tokenizer.sep_token, tokenizer.pad_token) == (
        "<s>",
        "</s>",
        "<pad>",
    )
