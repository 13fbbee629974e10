"""Tests of iacfilter_hpc.worker."""
