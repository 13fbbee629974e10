"""Worker: what runs on each node of a job, from its commands to the record of its outcome."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.checkpoints.checkpoints import newest_step
from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.config.schema import RunConfig, load_config
from iacfilter_hpc.errors import OF_THE_NODE, IacfilterError, JobFailed, SlurmError
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.failures import outcome_of_killed
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.records import Outcome
from iacfilter_hpc.runs.states import FailureCause, JobState
from iacfilter_hpc.slurm.queue import queued
from iacfilter_hpc.worker import accelerate_argv
from iacfilter_hpc.worker.accelerate_argv import Node
from iacfilter_hpc.worker.job_env import JobEnv, job_env, on_slurm, rendezvous
from iacfilter_hpc.worker.process_tree import CommandFailed, run_command
from iacfilter_hpc.worker.requeue_policy import Action, decide
from iacfilter_hpc.worker.signals import Cancelled, Interrupted, Requests, listening


@dataclass(frozen=True, slots=True)
class Ending:
    """Ending of an attempt, in the words of runs.records.Outcome."""

    state: JobState
    message: str = ""
    cause: FailureCause = FailureCause.NONE
    step: int | None = None

    @property
    def exit_code(self) -> int:
        return 0 if self.state in (JobState.COMPLETED, JobState.DRAINED) else 1


@dataclass(frozen=True)
class Worker:
    """One task a node; submitit pickles it and calls it there.

    Evaluates `data` if given, else trains and then evaluates the configuration's test file; both
    as `options` say. Training goes on from the newest checkpoint, if there is one.
    """

    directory: Path
    data: Path | None = None
    options: EvaluateOptions = DEFAULTS

    def __call__(self) -> None:
        """Run to the end; the first node writes the outcome.

        Raises:
            SystemExit: it failed, so that Slurm sees a non-zero exit code; the log says why.
        """
        layout, job, started_at = RunLayout(self.directory), job_env(), records.now()
        # recorded only if something is raised that _ending does not expect
        ending = Ending(JobState.FAILED, "the worker broke off", FailureCause.EXCEPTION)
        try:
            with listening(layout, job.job_id, job.attempt) as requests:
                ending = self._ending(layout, job, requests)
        finally:
            # after listening() has ended, from when on no signal can break it off
            if job.rank == 0:
                _record(layout, job, started_at, ending)
        if ending.exit_code:
            raise SystemExit(ending.exit_code)

    def _ending(self, layout: RunLayout, job: JobEnv, requests: Requests) -> Ending:
        try:
            return self._run(layout, job, requests)
        except OSError as error:
            if error.errno not in OF_THE_NODE:
                raise  # an error in the code: submitit shows the traceback
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the job's log
            return Ending(JobState.FAILED, str(error), FailureCause.NODE)
        except Interrupted as error:
            # training and what comes after it is gone on with; an evaluation alone is over
            state = JobState.DRAINED if self.data is None else JobState.CANCELLED
            return Ending(state, error.message)
        except IacfilterError as error:
            print(error.text(), file=sys.stderr, flush=True)  # noqa: T201 - the job's log
            if isinstance(error, Cancelled):
                return Ending(JobState.CANCELLED, error.message)
            if isinstance(error, CommandFailed):
                return Ending(JobState.FAILED, error.message, error.cause, error.step)
            # one of ours: the same data and settings would bring it again
            return Ending(JobState.FAILED, error.message, FailureCause.ERROR)

    def _run(self, layout: RunLayout, job: JobEnv, requests: Requests) -> Ending:
        config, count = load_config(layout), len(job.hostnames)
        node = Node(job.rank, count, *rendezvous(count))
        environment = accelerate_argv.environment(
            config, node, job.attempt, requests.local, os.environ
        )
        log = layout.error_log(job.attempt, job.rank)
        # an attempt after one that was stopped while it evaluated finds final/ and only evaluates
        if self.data is None and not layout.final.exists():
            if job.rank == 0:
                _settle_earlier(layout, job, config.requeue.limit)
                _check_alone(layout, job)
                if not on_slurm():  # there the batch script does it, before the first signal
                    layout.drain.unlink(missing_ok=True)
            check_data(layout, config)
            # until here a signal has nothing to save and ends the worker: see Requests.note
            requests.is_training = True
            argv = accelerate_argv.train(config, layout, node, sys.executable)
            stopped = _train(layout, job, argv, environment, log)
            requests.is_training = False
            if stopped is not None:
                return stopped
        data = self.data or config.data.test_file
        if data is not None and job.rank == 0:
            argv = accelerate_argv.evaluate(layout, data, self.options, sys.executable)
            run_command(argv, environment, layout, job.attempt, log)
        return Ending(JobState.COMPLETED)


def check_data(layout: RunLayout, config: RunConfig) -> None:
    """Refuse data that is not the data of the submission.

    Raises:
        JobFailed: a file is gone or its content has changed since.
        OSError: this node cannot read it.
    """
    for name, expected in records.read_record(layout).data_sha256.items():
        path = getattr(config.data, name)
        try:
            found = sha256_of(path)
        except OSError as error:
            if error.errno in OF_THE_NODE:
                raise
            raise JobFailed(f"{path} cannot be read: {error.strerror}") from error
        if found != expected:
            raise JobFailed(
                f"{path} has changed since the run was submitted", hint="submit it anew"
            )


def _train(
    layout: RunLayout, job: JobEnv, argv: list[str], environment: dict[str, str], log: Path
) -> Ending | None:
    """Train; None once the model is there, else the ending of one that stopped as asked.

    Raises:
        JobFailed: it ended otherwise; CommandFailed with what is known of it.
    """
    try:
        run_command(argv, environment, layout, job.attempt, log)
    except CommandFailed:
        # a launcher that was killed does not undo what its processes have saved
        if not layout.drained(job.attempt).exists():
            raise
    if job.rank == 0 and not layout.final.exists():
        drained = records.drained(layout, job.attempt)
        if drained is None:
            raise JobFailed("training left neither a model nor a note that it was stopped")
        return Ending(
            JobState.DRAINED, f"stopped at step {drained.step} as asked ({drained.reason})"
        )
    # other nodes than the first may see either file late (NFS): both endings are good ones there,
    # since they neither evaluate nor record
    return None if layout.final.exists() else Ending(JobState.DRAINED)


def _settle_earlier(layout: RunLayout, job: JobEnv, limit: int) -> None:
    """Note how earlier starts of this job ended that left no word, and whether that is enough.

    Slurm kills a job that it takes back, and starts it again however often that happens.

    Raises:
        JobFailed: the run has been killed too often.
    """
    silent = [
        restarts
        for restarts in range(job.restarts)
        if records.outcome(layout, attempt_name(job.job_id, restarts)) is None
    ]
    for restarts in silent:
        # by its processes' own files: its worker was killed before it could write
        outcome = outcome_of_killed(layout, job.job_id, restarts, newest_step(layout))
        records.write_record(layout.outcome(outcome.attempt), outcome)
    if silent:
        decision = decide(records.outcomes_of_chain(layout, job.job_id), limit)
        if decision.action is Action.STOP:
            raise JobFailed(decision.why)


def _check_alone(layout: RunLayout, job: JobEnv) -> None:
    """Leave a run alone that another job is training.

    Raises:
        JobFailed: there is such a job.
    """
    if not on_slurm():
        return
    try:
        found = queued().values()
    except SlurmError:
        return  # whoever claims the run last may write: a second one does no harm
    for entry in found:
        # by name: also a job that its launcher did not live to note down
        if (
            entry.name == layout.name
            and entry.state is JobState.RUNNING
            and entry.job_id != job.job_id
        ):
            raise JobFailed(
                f"job {entry.job_id} is training this run", hint=f"scancel {entry.job_id} ends it"
            )


def _record(layout: RunLayout, job: JobEnv, started_at: str, ending: Ending) -> None:
    outcome = Outcome(
        job_id=job.job_id,
        restarts=job.restarts,
        state=ending.state,
        exit_code=ending.exit_code,
        message=ending.message,
        cause=ending.cause,
        step=ending.step,
        saved=newest_step(layout),
        started_at=started_at,
        ended_at=records.now(),
        nodes=job.hostnames,
    )
    records.write_record(layout.outcome(job.attempt), outcome)
