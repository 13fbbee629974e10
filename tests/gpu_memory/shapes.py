"""Small models of every known family: their config.json, and what transformers makes of it."""

from __future__ import annotations

import json
from pathlib import Path

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 300,
}
DECODERS = {
    "llama": {"model_type": "llama"},
    "llama-grouped": {"model_type": "llama", "num_key_value_heads": 2},
    "llama-tied": {"model_type": "llama", "tie_word_embeddings": True},
    "llama-biased": {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "llama-narrow": {"model_type": "llama", "head_dim": 8},
    "mistral": {"model_type": "mistral", "num_key_value_heads": 1},
    "qwen2": {"model_type": "qwen2", "num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen3": {"model_type": "qwen3", "num_key_value_heads": 2},
}
ENCODERS = {
    "roberta": {"model_type": "roberta", "max_position_embeddings": 130, "type_vocab_size": 1},
    "xlm-roberta": {"model_type": "xlm-roberta", "max_position_embeddings": 130},
    "bert": {"model_type": "bert", "max_position_embeddings": 128},
}
FAMILIES = DECODERS | ENCODERS


def config_json(directory: Path, **values: object) -> Path:
    """A directory's config.json: a small model, with these values over its own."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "config.json"
    path.write_text(json.dumps({**SMALL, **values}))
    return path
