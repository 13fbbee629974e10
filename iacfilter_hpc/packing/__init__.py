"""Packing: which samples a device computes at once, and attention over rows of them.

In: rows of token ids. Out: batches without padding whose gradients and scores are those of padded
ones. May import: inputs and below.
"""
