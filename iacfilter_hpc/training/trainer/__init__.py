"""Trainer: the Trainer of all approaches, which stops where it is asked to and goes on exactly.

In: a model, rows, callbacks. Out: optimizer steps, checkpoints, logits. May import: packing,
inputs, checkpoints, config, runs, errors; nothing else of training.
"""
