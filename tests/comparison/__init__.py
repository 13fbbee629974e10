"""Tests of iacfilter_hpc.comparison."""
