"""Tests on private Slurm clusters."""
