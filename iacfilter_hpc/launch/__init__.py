"""Launch: runs submitted, resumed, rehearsed and looked at, on Slurm or on this machine.

In: a RunConfig, or the name of a run. Out: a run's directory and its job, or the state it is in.
May import: worker, slurm, samples, checkpoints, config, runs, errors; no torch.
"""
