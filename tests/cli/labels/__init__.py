"""Tests of iacfilter_hpc.cli.labels."""
