"""Training: from a RunConfig to final/, as one of the processes that accelerate starts.

In: a run's directory and configuration. Out: checkpoints, metrics.jsonl, final/. Imports torch and
transformers. May import: packing, trained_model, inputs and below; nothing of Slurm.
"""
