"""Tests of iacfilter_hpc.gpu_memory."""
