"""Tests of iacfilter_hpc.checkpoints."""
