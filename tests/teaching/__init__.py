"""Tests of iacfilter_hpc.teaching."""
