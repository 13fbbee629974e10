"""Tiny models, and one thread for each test."""

from tests.tiny_models import (  # noqa: F401 - fixtures
    encoder_tokenizer,
    one_thread,
    prompt_tokenizer,
    tiny_encoder,
    tiny_generative,
)
