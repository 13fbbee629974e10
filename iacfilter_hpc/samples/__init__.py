"""Samples: labelled detections, files of them, duplicates and leaks among them, splits of them.

In: JSON Lines. Out: frozen samples, leaks and duplicates among them, splits that share nothing. May
import: samples.near, runs, errors. No torch.
"""
