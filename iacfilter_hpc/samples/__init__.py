"""Samples: what one is, files of them, what ties them together, how they are split.

In: JSON Lines. Out: frozen samples, leaks and duplicates among them, splits that share nothing.
May import: config, runs, errors. No torch.
"""
