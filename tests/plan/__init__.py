"""iacfilter_hpc.plan."""
