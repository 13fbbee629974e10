"""Calibration: a trained model's log-odds fitted to human labels, and judged on folds apart.

In: runs, labelled samples, labelling functions. Out: calibration.json beside a model, a section of
its card, figures of samples that fitted no part of it. May import: evaluation and below.
"""
