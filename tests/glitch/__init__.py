"""Tests of iacfilter_hpc.glitch."""
