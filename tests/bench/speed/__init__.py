"""Ours beside the reference forms, in training and scoring: python -m tests.bench.speed."""
