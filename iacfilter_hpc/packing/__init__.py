"""Packing: which samples a device computes at once, and attention over rows of them.

In: rows of token ids. Out: batches without padding whose gradients and scores are those of padded
ones (but for rounding). It pays as prompts begin alike: 59 % of the tokens of those measured were
in 12 beginnings, one for each smell and technology. May import: inputs, config, runs, errors.
"""
