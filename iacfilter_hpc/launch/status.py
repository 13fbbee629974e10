"""Status of runs: by squeue, then the job's own outcome, then sacct, else UNKNOWN.

Each of the three may be missing: squeue forgets a job MinJobAge after its end (300 s by default), a
job that is killed leaves no outcome, and a site may have no accounting. What none of them knows is
said to be unknown, as a guess could read as success or as failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from iacfilter_hpc.errors import IacfilterError, SlurmError
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.progress import Progress, read_progress
from iacfilter_hpc.runs.records import JobRecord, Outcome, RunRecord
from iacfilter_hpc.runs.states import Executor, JobState, Purpose
from iacfilter_hpc.slurm.queue import QueueEntry, accounted, queued


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One run as it stands now. Times of jobs are Slurm's strings, such as `1:23:45`."""

    layout: RunLayout
    record: RunRecord | None
    job: JobRecord | None
    state: JobState
    reason: str = ""
    elapsed: str = ""
    left: str = ""
    nodes: str = ""
    start: str = ""
    progress: Progress

    @property
    def completed(self) -> bool:
        """Whether its job has done all that it was to do."""
        return self.state is JobState.COMPLETED

    @property
    def ended(self) -> bool:
        return self.state.ended


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Report on runs: their states, and what kept any of them from being known."""

    states: list[RunState]
    problems: list[str]


def status_report(layouts: Sequence[RunLayout]) -> StatusReport:
    """The state of each run, with one call of squeue and at most one of sacct.

    A damaged record, or a Slurm that does not answer, is one of the problems and raises nothing: it
    must not hide the other runs.
    """
    # A call costs about as much for one job as for all: with 200 jobs squeue took 21 ms for all and
    # 22 ms for one, sacct 70 ms for all and 101 ms for one (measured, Slurm 22.05).
    problems: list[str] = []
    newest = {layout: _newest_job(layout, problems) for layout in layouts}
    # a run without a record may have a Slurm job all the same, see _entry_of
    slurm_jobs = [job for job in newest.values() if job is None or job.executor == Executor.SLURM]
    queue: dict[str, QueueEntry] = {}
    if slurm_jobs:
        try:
            queue = queued()
        except SlurmError as error:
            problems.append(error.message)
    by_name = {entry.name: entry for entry in queue.values()}
    outcomes = {
        layout: _outcome(layout, job, problems) if job else None for layout, job in newest.items()
    }
    # sacct is slowest and may be off: it is asked only for what the other two do not settle
    asked = [
        job.job_id
        for layout, job in newest.items()
        if job
        and job.executor == Executor.SLURM
        and _entry_of(layout, job, queue, by_name) is None
        and not _is_final(outcomes[layout])
    ]
    accounts = accounted(asked)
    states = [
        _state(
            layout,
            job,
            _entry_of(layout, job, queue, by_name),
            outcomes[layout],
            accounts.get(job.job_id) if job else None,
            problems,
        )
        for layout, job in newest.items()
    ]
    # a record that cannot be read may have been looked at twice
    return StatusReport(states, list(dict.fromkeys(problems)))


def _newest_job(layout: RunLayout, problems: list[str]) -> JobRecord | None:
    try:
        jobs = records.jobs(layout)
    except IacfilterError as error:
        problems.append(error.message)
        return None
    return jobs[-1] if jobs else None


def _outcome(layout: RunLayout, job: JobRecord, problems: list[str]) -> Outcome | None:
    try:
        return records.newest_outcome(layout, job.job_id)
    except IacfilterError as error:
        problems.append(error.message)
        return None


def _entry_of(
    layout: RunLayout,
    job: JobRecord | None,
    queue: dict[str, QueueEntry],
    by_name: dict[str, QueueEntry],
) -> QueueEntry | None:
    """The queue's entry of a run; Slurm gives job ids again, so that the name must agree."""
    if job is None:
        return by_name.get(layout.name)  # submitted, but the launcher died before it noted the job
    entry = queue.get(job.job_id)
    return entry if entry and entry.name == layout.name else None


def _is_final(outcome: Outcome | None) -> bool:
    """Whether an outcome is final: Slurm knows no more than the attempt does.

    SIGTERM means cancelled, preempted or out of time: only Slurm knows which. And where the job
    has been requeued, only Slurm knows what became of it since.
    """
    if outcome is None or outcome.continuation is not None:
        return False
    return outcome.state in (JobState.COMPLETED, JobState.FAILED)


def _state(
    layout: RunLayout,
    job: JobRecord | None,
    entry: QueueEntry | None,
    outcome: Outcome | None,
    account: QueueEntry | None,
    problems: list[str],
) -> RunState:
    try:
        record: RunRecord | None = records.read_record(layout)
    except IacfilterError as error:
        problems.append(error.message)
        record = None
    progress = read_progress(layout)
    # accounting outlives job ids: an old job of another name may have had this one
    if account and account.name != layout.name:
        account = None
    known = entry or (None if _is_final(outcome) else account)
    if known:
        reason = _reason(known, outcome)
        return RunState(
            layout=layout,
            record=record,
            job=job or _job_of(entry),
            state=known.state,
            reason=reason,
            elapsed=known.elapsed,
            # squeue has a TimeLeft for jobs that have ended too
            left="" if known.ended else known.left,
            nodes=known.nodes,
            start=known.start if known.state is JobState.PENDING else "",
            progress=progress,
        )
    state, reason = _without_slurm(layout, job, outcome, problems)
    return RunState(
        layout=layout,
        record=record,
        job=job,
        state=state,
        reason=reason,
        elapsed=_elapsed(job, outcome),
        nodes=",".join(outcome.nodes) if outcome else _host(job),
        progress=progress,
    )


def _reason(known: QueueEntry, outcome: Outcome | None) -> str:
    """Slurm's reason, and what the run's own files know beyond it.

    While a requeued job waits, its newest outcome is that of the attempt before.
    """
    if outcome is None or not outcome.message:
        return known.reason
    # The outcome says more if both tell of the same end, or if it tells of a save, which Slurm does
    # not know of; else it knows less: what SIGTERM meant, such as a time limit, only Slurm can say.
    if known.ended and outcome.state in (known.state, JobState.DRAINED):
        return _told(outcome)
    # why a requeued job waits: Slurm's BeginTime alone does not tell that it saved and stopped
    if known.state is JobState.PENDING:
        return f"{known.reason}: {outcome.message}" if known.reason else outcome.message
    return known.reason


def _told(outcome: Outcome) -> str:
    """How an attempt ended, and why it is not gone on with."""
    # what has finished or was cancelled is never gone on with, which needs no reason
    may_go_on = outcome.state in (JobState.FAILED, JobState.DRAINED)
    stays = outcome.why if may_go_on and outcome.continuation is None else ""
    return f"{outcome.message}; not requeued: {stays}" if stays else outcome.message


def _host(job: JobRecord | None) -> str:
    return job.host if job and job.executor == Executor.LOCAL else ""


def _job_of(entry: QueueEntry | None) -> JobRecord | None:
    if entry is None:
        return None
    # of a run without any record it can only be the training: an evaluation comes after one
    return JobRecord(
        job_id=entry.job_id,
        executor=Executor.SLURM,
        purpose=Purpose.TRAIN,
        host="",
        submitted_at="",
    )


def _without_slurm(
    layout: RunLayout, job: JobRecord | None, outcome: Outcome | None, problems: list[str]
) -> tuple[JobState, str]:
    """State and reason from the run's files and this machine's processes."""
    if outcome:
        return outcome.state, _told(outcome)
    if job is None:
        # a record that cannot be read is a record: what is wrong with it is among the problems
        there = any(layout.slurm.glob("*_job.json"))
        reason = "its job record cannot be read" if there else "no job is recorded"
        return JobState.UNKNOWN, reason
    if job.executor == Executor.SLURM:
        return JobState.UNKNOWN, "neither squeue, its own files nor sacct know it"
    from iacfilter_hpc.launch.processes import is_alive

    alive = is_alive(layout, job)
    if alive is None:
        return JobState.UNKNOWN, f"runs on {job.host}, ask there"
    if alive:
        return JobState.RUNNING, ""
    # it may have ended between the two looks
    ended = _outcome(layout, job, problems)
    if ended is None:
        return JobState.UNKNOWN, "its process is gone"
    return ended.state, _told(ended)


def _elapsed(job: JobRecord | None, outcome: Outcome | None) -> str:
    """Time of a local job, or of one that only its outcome tells of, as Slurm writes it."""
    start = outcome.started_at if outcome else job.submitted_at if job else ""
    # a Slurm job without an outcome may have waited for days since it was submitted
    if not start or (not outcome and job and job.executor == Executor.SLURM):
        return ""
    end = records.moment(outcome.ended_at) if outcome else datetime.now(UTC)
    # not negative: clocks of nodes differ
    seconds = max(0, round((end - records.moment(start)).total_seconds()))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
