"""Tests of iacfilter_hpc.config."""
