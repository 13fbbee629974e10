"""Approaches: what is theirs alone of tokenising, models, losses and scoring.

In: a RunConfig, samples, a pretrained model. Out: what the Trainer and the scorer need of them.
May import: packing, inputs and below, and training's own Trainer.
"""
