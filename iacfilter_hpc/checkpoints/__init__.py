"""Checkpoints and final models on disk: published whole, verified before use, one writer.

In: a run's directory. Out: the newest checkpoint that verifies, or what is wrong with a file. May
import: runs, errors. No torch.
"""
