"""What runs on each node of a job: start the commands, pass requests on, record the outcome."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.checkpoints.checkpoints import newest_step
from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.config.schema import RunConfig, load_config
from iacfilter_hpc.errors import OF_THE_NODE, IacfilterError, JobFailed, SlurmUnreachable
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.failures import outcome_of_killed
from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.records import Outcome
from iacfilter_hpc.samples.sample import sha256_of
from iacfilter_hpc.slurm.queue import queued
from iacfilter_hpc.worker import accelerate_argv
from iacfilter_hpc.worker.accelerate_argv import Node
from iacfilter_hpc.worker.job_env import Place, on_slurm, place_of_this, rendezvous
from iacfilter_hpc.worker.process_tree import CommandFailed, call
from iacfilter_hpc.worker.requeue_policy import decide
from iacfilter_hpc.worker.signals import Cancelled, Interrupted, Requests, listening


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, in the words of runs.Outcome."""

    state: str
    message: str = ""
    cause: str = ""
    step: int | None = None

    @property
    def exit_code(self) -> int:
        return 0 if self.state in ("COMPLETED", "DRAINED") else 1


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
        layout, place, started_at = RunLayout(self.directory), place_of_this(), records.now()
        ending = Ending("FAILED", "the worker broke off", "exception")
        try:
            with listening(layout, place.job_id, place.attempt) as requests:
                ending = self._ending(layout, place, requests)
        finally:
            if place.rank == 0:
                _record(layout, place, started_at, ending)
        if ending.exit_code:
            raise SystemExit(ending.exit_code)

    def _ending(self, layout: RunLayout, place: Place, requests: Requests) -> Ending:
        try:
            return self._run(layout, place, requests)
        except OSError as error:
            if error.errno not in OF_THE_NODE:
                raise
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the job's log
            return Ending("FAILED", str(error), "node")
        except Interrupted as error:
            # an evaluation alone has nothing to go on from
            return Ending("DRAINED" if self.data is None else "CANCELLED", error.message)
        except IacfilterError as error:
            print(error.text(), file=sys.stderr, flush=True)  # noqa: T201 - the job's log
            if isinstance(error, Cancelled):
                return Ending("CANCELLED", error.message)
            if isinstance(error, CommandFailed):
                return Ending("FAILED", error.message, error.cause, error.step)
            return Ending("FAILED", error.message, "error")

    def _run(self, layout: RunLayout, place: Place, requests: Requests) -> Ending:
        config, count = load_config(layout), len(place.hostnames)
        node = Node(place.rank, count, *rendezvous(count))
        environment = accelerate_argv.environment(
            config, node, place.attempt, requests.local, os.environ
        )
        log = layout.error_log(place.attempt, place.rank)
        if self.data is None and not layout.final.exists():
            if place.rank == 0:
                _settle_earlier(layout, place, config.requeue.limit)
                _check_alone(layout, place)
                if not on_slurm():  # there the batch script does it, before the first signal
                    layout.drain.unlink(missing_ok=True)
            check_data(layout, config)
            requests.is_training = True
            argv = accelerate_argv.train(config, layout, node, sys.executable)
            stopped = _train(layout, place, argv, environment, log)
            requests.is_training = False
            if stopped is not None:
                return stopped
        data = self.data or config.data.test_file
        if data is not None and place.rank == 0:
            argv = accelerate_argv.evaluate(layout, data, self.options, sys.executable)
            call(argv, environment, layout, place.attempt, log)
        return Ending("COMPLETED")


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
    layout: RunLayout, place: Place, argv: list[str], environment: dict[str, str], log: Path
) -> Ending | None:
    """None once the model is there, else where training has stopped as it was asked to."""
    try:
        call(argv, environment, layout, place.attempt, log)
    except CommandFailed:
        # a launcher that was killed does not undo what its processes have saved
        if not layout.drained(place.attempt).exists():
            raise
    if place.rank == 0 and not layout.final.exists():
        drained = records.drained(layout, place.attempt)
        if drained is None:
            raise JobFailed("training ended without a model and without a word")
        return Ending("DRAINED", f"stopped at step {drained.step} as asked ({drained.reason})")
    return None if layout.final.exists() else Ending("DRAINED")


def _settle_earlier(layout: RunLayout, place: Place, limit: int) -> None:
    """Note how earlier starts of this job ended that left no word, and whether that is enough.

    Slurm kills a job that it takes back, and starts it again however often that happens.

    Raises:
        JobFailed: the run has been killed too often.
    """
    silent = [
        restarts
        for restarts in range(place.restarts)
        if records.outcome(layout, attempt_name(place.job_id, restarts)) is None
    ]
    for restarts in silent:
        outcome = outcome_of_killed(layout, place.job_id, restarts, newest_step(layout))
        records.write_record(layout.outcome(outcome.attempt), outcome)
    if silent:
        decision = decide(records.outcomes_of_chain(layout, place.job_id), limit)
        if decision.action == "stop":
            raise JobFailed(decision.why)


def _check_alone(layout: RunLayout, place: Place) -> None:
    """Leave a run alone that another job is training.

    Raises:
        JobFailed: there is such a job.
    """
    if not on_slurm():
        return
    try:
        found = queued().values()
    except SlurmUnreachable:
        return  # whoever claims the run last may write: a second one does no harm
    for entry in found:
        if entry.name == layout.name and entry.state == "RUNNING" and entry.job_id != place.job_id:
            raise JobFailed(
                f"job {entry.job_id} is training this run", hint=f"scancel {entry.job_id} ends it"
            )


def _record(layout: RunLayout, place: Place, started_at: str, ending: Ending) -> None:
    outcome = Outcome(
        job_id=place.job_id,
        restarts=place.restarts,
        state=ending.state,
        exit_code=ending.exit_code,
        message=ending.message,
        cause=ending.cause,
        step=ending.step,
        saved=newest_step(layout),
        started_at=started_at,
        ended_at=records.now(),
        nodes=place.hostnames,
    )
    records.write_record(layout.outcome(place.attempt), outcome)
