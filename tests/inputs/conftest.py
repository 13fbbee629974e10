"""Tiny models, and one thread for each test."""
