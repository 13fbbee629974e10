"""Tests of iacfilter_hpc.verdicts."""
