"""iacfilter_hpc.slurm, with programs of a few lines in place of Slurm's."""
