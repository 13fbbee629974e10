"""Evaluation: a trained model's scores on labelled samples, with intervals, and its use.

In: a trained model and samples. Out: predictions, metrics with intervals, a log of looks at test
sets, an exported model. May import: training and below.
"""
