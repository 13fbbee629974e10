"""Approaches: tokenising, models, losses and scoring of each kind of model.

In: a RunConfig, samples, a pretrained model. Out: what the Trainer and the scorer need of them.
May import: packing, trained_model, inputs and below, and training's own Trainer.

To add one: an ApproachEntry in config/approaches.py, a subclass of base.Approach here, and
configs/<name>.yaml with every setting. tests/plugin does so from outside, through an entry point.
"""
