"""Records of a run: what each of its JSON files holds, and how it is read.

Files and fields are those that earlier versions wrote; a field with a default came later. Jobs and
attempts have files of their own, so that no two processes write one at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iacfilter_hpc.errors import IacfilterError, RunNotFound
from iacfilter_hpc.runs.layout import RunLayout, attempt_name
from iacfilter_hpc.runs.record_schema import kind_of, write
from iacfilter_hpc.runs.states import Executor, FailureCause, JobState, Purpose

# Stays what it is when a field with a default is added: records without it are read all the same
SCHEMA = 1
REQUEUED = "requeued"
"""What the outcome of a requeued job says of what goes on."""


@dataclass(frozen=True)
class Planned:
    """Planned GPU memory in bytes: all that PyTorch allocates; of it, activations and logits."""

    total: int
    activations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """run.json: what was asked for, written once at submission."""

    run: str
    approach: str
    key: str
    """Hash of configuration, data and code; neither of the name nor of the resources."""
    created_at: str
    user: str
    host: str
    git_commit: str | None
    versions: dict[str, str]
    model_name_or_path: str
    gpus: int
    nodes: int
    num_processes: int
    global_batch_size: int
    data_sha256: dict[str, str]
    argv: list[str]
    planned_bytes: int | None = None
    """What PyTorch was to allocate on a GPU; None where the model's shapes are not known."""
    planned_activations: int | None = None
    """The part of it that depends on the samples."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """slurm/<job_id>_job.json: one job of a run, written once after submission."""

    job_id: str
    executor: Executor
    """`slurm`, or `local` for a process of `host`."""
    purpose: Purpose
    # where a local job's process can be looked for
    host: str
    submitted_at: str
    follows: str = ""
    """The job that this one goes on for by itself; empty if a person submitted it."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """slurm/<attempt>_outcome.json: how an attempt ended, and what was made of that.

    Written by its worker on the first node; `next` and `why` are filled in after it, in the batch
    script.
    """

    job_id: str
    restarts: int = 0
    state: JobState
    """COMPLETED, FAILED or CANCELLED, as Slurm says; DRAINED if it saved and stopped as asked."""
    exit_code: int
    message: str
    cause: FailureCause = FailureCause.NONE
    step: int | None = None
    """The optimizer step that a failure came at."""
    saved: int = 0
    """The step of the newest checkpoint: by it is seen whether a run gets on."""
    started_at: str
    ended_at: str
    nodes: list[str]
    next: str = ""
    """What goes on with the run, as Continuation writes it; empty if nothing does."""
    why: str = ""
    """Why it is or is not gone on with."""
    schema: int = SCHEMA

    @property
    def attempt(self) -> str:
        return attempt_name(self.job_id, self.restarts)

    @property
    def continuation(self) -> Continuation | None:
        return Continuation.parse(self.next)


@dataclass(frozen=True, slots=True)
class Continuation:
    """What goes on with a run after an attempt: the same job, requeued, or a new job."""

    new_job: str | None = None
    """The id of the new job; None if the same one was requeued."""

    def __str__(self) -> str:
        return self.new_job or REQUEUED

    @classmethod
    def parse(cls, text: str) -> Continuation | None:
        """What an outcome says; None where nothing goes on."""
        return cls(None if text == REQUEUED else text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainedRecord:
    """slurm/<attempt>_drained.json: where training stopped as asked, all of it being saved."""

    # a file, not an exit code: `accelerate launch` turns every code of its processes into 1
    attempt: str
    step: int
    checkpoint: str | None
    """The name of its directory; None if there was nothing to save."""
    reason: str
    saved_at: str
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedRecord:
    """slurm/<attempt>_resumed.json: where training went on; none if it began anew."""

    attempt: str
    step: int
    checkpoint: str
    """The name of its directory."""
    at: str
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord:
    """slurm/<attempt>_failure_<rank>.json: what broke a training process, written by itself.

    A process that was killed leaves none.
    """

    # one a process: a launcher knows those of its own node alone, and of none the step
    schema: int = SCHEMA
    attempt: str
    rank: int
    node: str
    step: int | None
    """How many steps were made; None before the first."""
    kind: FailureCause
    """`error` of ours, or `exception`."""
    type: str
    """The name of the exception's class."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakRecord:
    """memory.json: the most bytes that PyTorch had allocated on the GPU of any process."""

    schema: int = SCHEMA
    peak_bytes: int
    device: str


RUN = kind_of(RunRecord)
JOB = kind_of(JobRecord)
OUTCOME = kind_of(Outcome)
DRAINED = kind_of(DrainedRecord)
RESUMED = kind_of(ResumedRecord)
FAILURE = kind_of(FailureRecord)
PEAK = kind_of(PeakRecord)


def now() -> str:
    """This moment in UTC, ISO 8601, to the second."""
    # always as long and always in UTC: records are sorted by these texts as they are
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The moment that now() wrote down."""
    return datetime.fromisoformat(text)


def write_record(
    path: Path, record: RunRecord | JobRecord | Outcome | DrainedRecord | ResumedRecord
) -> None:
    """Write a record, all of it or nothing.

    Raises:
        IacfilterError: it cannot be written.
    """
    try:
        write(path, record)
    except OSError as error:
        raise IacfilterError(f"{path} cannot be written: {error.strerror}") from error


def read_record(layout: RunLayout) -> RunRecord:
    """run.json of a run.

    Raises:
        RunNotFound: it is missing.
        IacfilterError: it is damaged or of a newer version.
    """
    record = RUN.find(layout.record)
    if record is None:
        raise RunNotFound(f"{layout.record} is missing")
    return record


def jobs(layout: RunLayout) -> list[JobRecord]:
    """The jobs of a run, oldest first."""
    records = [
        record for path in layout.slurm.glob("*_job.json") if (record := JOB.find(path)) is not None
    ]
    # within one second by the id as a number: 9 before 10
    return sorted(records, key=lambda job: (job.submitted_at, len(job.job_id), job.job_id))


def outcome(layout: RunLayout, attempt: str) -> Outcome | None:
    """Outcome of an attempt; None while it has none."""
    return OUTCOME.find(layout.outcome(attempt))


def drained(layout: RunLayout, attempt: str) -> DrainedRecord | None:
    """Where an attempt stopped as asked; None if it did not."""
    return DRAINED.find(layout.drained(attempt))


def resumed(layout: RunLayout, attempt: str) -> ResumedRecord | None:
    """Where an attempt went on from a checkpoint; None if it has not, or not yet."""
    return RESUMED.find(layout.resumed(attempt))


def attempts(layout: RunLayout, job_id: str) -> list[str]:
    """The names of a job's attempts that left a log or an outcome, oldest first."""
    # the first start bears the job's own name, and counts before it has left anything
    names = {job_id}
    for path in layout.slurm.glob(f"{job_id}.*_*"):
        names.add(path.name.partition("_")[0])
    return sorted(names, key=_restarts)


def newest_outcome(layout: RunLayout, job_id: str) -> Outcome | None:
    """Outcome of the newest attempt of a job; None while it has none."""
    # not the newest outcome: after a requeue the job is under way again, whatever its last one was
    return outcome(layout, attempts(layout, job_id)[-1])


def outcomes(layout: RunLayout) -> list[Outcome]:
    """Outcomes of the attempts of a run, oldest first."""
    found = [OUTCOME.find(path) for path in layout.slurm.glob("*_outcome.json")]
    return sorted((o for o in found if o is not None), key=lambda o: (o.ended_at, o.restarts))


def outcomes_of_chain(layout: RunLayout, job_id: str) -> list[Outcome]:
    """Outcomes of a job's attempts, and of those of the jobs that it goes on for, oldest first."""
    # not all of the run's: a job that a person submitted counts anew towards requeue.limit
    follows = {job.job_id: job.follows for job in jobs(layout)}
    chain = {job_id}
    while job_id := follows.get(job_id, ""):
        chain.add(job_id)
    return [outcome for outcome in outcomes(layout) if outcome.job_id in chain]


def _restarts(attempt: str) -> int:
    restarts = attempt.partition(".")[2]
    return int(restarts) if restarts.isdecimal() else 0
