"""Trained model: final/, its decision.json, its calibration, its evidence and its card.

In: what training has found. Out: a directory complete or not at all, found again by a run's name or
by its path. May import: inputs, labelling, samples, checkpoints, config, runs, errors. No torch,
`save` aside.
"""
