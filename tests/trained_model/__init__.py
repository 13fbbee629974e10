"""Tests of iacfilter_hpc.trained_model."""
