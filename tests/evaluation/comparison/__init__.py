"""Tests of iacfilter_hpc.evaluation.comparison."""
