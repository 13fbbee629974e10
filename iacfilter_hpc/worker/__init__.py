"""Worker: what runs on each node of a job, from its start to what becomes of it after.

In: a run's directory. Out: processes started by accelerate, the outcome of the attempt, the run
queued again or not. May import: slurm, samples, checkpoints, config, runs, errors; no torch.
"""


def __getattr__(name: str) -> object:
    """`Worker`, for the pickles of jobs that earlier versions queued.

    On demand: an import here would bring pydantic into after_step, which has seconds.
    """
    if name != "Worker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from iacfilter_hpc.worker.earlier_versions import pickled_worker

    return pickled_worker()
