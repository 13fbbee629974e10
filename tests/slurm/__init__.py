"""Tests on a private Slurm cluster, and that cluster."""
