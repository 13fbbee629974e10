"""Tests of iacfilter_hpc.cli.data."""
