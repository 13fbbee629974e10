"""Tests of iacfilter_hpc.launch."""
