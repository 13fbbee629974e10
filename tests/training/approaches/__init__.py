"""Tests of iacfilter_hpc.training.approaches."""
