"""Resume: a new job for a run that has stopped, perhaps with other resources."""

from __future__ import annotations

from iacfilter_hpc.checkpoints.checkpoints import newest_saved
from iacfilter_hpc.config.extras import check_training_is_installed
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import IacfilterError, JobMayExist, UsageError, counted
from iacfilter_hpc.launch import submission
from iacfilter_hpc.launch.live_jobs import live_in_queue, live_local
from iacfilter_hpc.launch.submission import Submitted
from iacfilter_hpc.runs.files import write_atomically
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.states import Executor


def resume(layout: RunLayout, config: RunConfig, site: Site, executor: Executor) -> Submitted:
    """Submit a job that goes on with a run; `config` is the run's own with its new resources.

    Raises:
        UsageError: it is trained, a job of it is alive, or its checkpoints are of another number of
            processes.
        SubmissionError, SlurmUnreachable: no job was made.
    """
    check(layout, config)
    if executor == Executor.LOCAL:
        check_training_is_installed()
    before = layout.config.read_text(encoding="utf-8")
    # before the submission: the job may start, and read it, before sbatch has returned
    write_atomically(layout.config, as_yaml(config))
    # a request to an earlier job is not one to this job
    layout.drain.unlink(missing_ok=True)
    try:
        return submission.start_training(layout, config, site, executor)
    except JobMayExist:
        # the job, if there is one, must find the configuration that it was submitted with
        raise
    except IacfilterError:
        write_atomically(layout.config, before)
        raise


def check(layout: RunLayout, config: RunConfig) -> None:
    """Refuse what cannot be resumed, or not like this.

    Raises:
        UsageError: it is trained, a job of it is alive, or its checkpoints are of another number of
            processes.
        SlurmError: squeue does not tell whether a job of it is alive.
    """
    if layout.final.exists():
        raise UsageError(
            f"{layout.name} is trained: {layout.final} is there",
            hint=f"iacfilter-evaluate {layout.name} scores it",
        )
    local = [job.job_id for job in live_local(layout)]
    if alive := [*local, *(entry.job_id for entry in live_in_queue(layout))]:
        raise UsageError(
            f"job {alive[0]} of {layout.name} is alive",
            hint=f"iacfilter-cancel {layout.name} ends it",
        )
    # optimizer states and random states are saved in a part for each process; said here by what the
    # newest checkpoint says of itself, as verifying it means to read it all, which the job does
    saved = newest_saved(layout)
    if saved is not None and saved.processes != config.num_processes:
        raise UsageError(
            f"{layout.name} has saved step {saved.step} with "
            f"{counted(saved.processes, 'process', 'processes')}, and "
            f"would go on with {config.num_processes}",
            hint=f"resume it with --gpus {saved.processes}, or start a new run",
        )
