"""Tests of iacfilter_hpc.samples.near."""
