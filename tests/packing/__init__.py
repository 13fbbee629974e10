"""Tests of iacfilter_hpc.packing."""
