"""The tests mirror the package: tests/test_runs.py tests iacfilter_hpc/runs.py."""
