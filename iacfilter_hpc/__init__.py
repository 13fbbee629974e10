"""Fine-tune models on Slurm that tell real security smells from false alarms."""

__version__ = "0.1.0"
