"""Trainer: the Trainer of all approaches, which stops where it is asked to and goes on exactly.

In: a model, rows, callbacks. Out: optimizer steps, checkpoints, logits. May import: packing,
checkpoints and below; nothing else of training.
"""
