"""Tests of iacfilter_hpc.inputs."""
