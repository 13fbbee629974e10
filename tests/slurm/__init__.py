"""Tests of iacfilter_hpc.slurm."""
