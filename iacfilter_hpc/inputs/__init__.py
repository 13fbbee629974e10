"""Model inputs: samples to token ids, and those to datasets.

In: samples and a tokenizer. Out: encoded samples with counts of what was cut, datasets for training
and scoring, a cache of the tokens. May import: samples, checkpoints, config, runs, errors.
"""
