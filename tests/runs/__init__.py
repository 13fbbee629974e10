"""Tests of iacfilter_hpc.runs."""
