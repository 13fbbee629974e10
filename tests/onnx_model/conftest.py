"""Tiny models, and one thread for each test."""

from tests.tiny_models import one_thread, tiny_encoder  # noqa: F401 - fixtures
