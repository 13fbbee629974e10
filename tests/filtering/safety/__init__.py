"""Tests of iacfilter_hpc.filtering.safety."""
