"""Status of runs: by squeue, then the job's own outcome, then sacct, else UNKNOWN."""

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
    def ended(self) -> bool:
        return self.state.ended


@dataclass(frozen=True, slots=True)
class Report:
    """The states of runs, and what kept any of them from being known."""

    states: list[RunState]
    problems: list[str]


def report(layouts: Sequence[RunLayout]) -> Report:
    """The state of each run, with one call of squeue and at most one of sacct."""
    problems: list[str] = []
    newest = {layout: _newest_job(layout, problems) for layout in layouts}
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
    return Report(states, problems)


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
    """Whether Slurm knows no more than the attempt does.

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
            left="" if known.ended else known.left,
            nodes=known.nodes,
            start=known.start if known.state is JobState.PENDING else "",
            progress=progress,
        )
    state, reason = _without_slurm(layout, job, outcome)
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
    """Slurm's reason, and what the run's own files know beyond it."""
    if outcome is None or not outcome.message:
        return known.reason
    if known.ended and outcome.state in (known.state, JobState.DRAINED):
        return _told(outcome)
    if known.state is JobState.PENDING:
        return f"{known.reason}: {outcome.message}" if known.reason else outcome.message
    return known.reason


def _told(outcome: Outcome) -> str:
    """How an attempt ended, and why it is not gone on with."""
    may_go_on = outcome.state in (JobState.FAILED, JobState.DRAINED)
    stays = outcome.why if may_go_on and outcome.continuation is None else ""
    return f"{outcome.message}; not requeued: {stays}" if stays else outcome.message


def _host(job: JobRecord | None) -> str:
    return job.host if job and job.executor == Executor.LOCAL else ""


def _job_of(entry: QueueEntry | None) -> JobRecord | None:
    if entry is None:
        return None
    return JobRecord(
        job_id=entry.job_id,
        executor=Executor.SLURM,
        purpose=Purpose.TRAIN,
        host="",
        submitted_at="",
    )


def _without_slurm(
    layout: RunLayout, job: JobRecord | None, outcome: Outcome | None
) -> tuple[JobState, str]:
    """State and reason from the run's files and this machine's processes."""
    if outcome:
        return JobState(outcome.state), _told(outcome)
    if job is None:
        return JobState.UNKNOWN, "no job is recorded"
    if job.executor == Executor.SLURM:
        return JobState.UNKNOWN, "neither squeue, its own files nor sacct know it"
    from iacfilter_hpc.launch.processes import is_alive

    alive = is_alive(layout, job)
    if alive is None:
        return JobState.UNKNOWN, f"runs on {job.host}, ask there"
    if alive:
        return JobState.RUNNING, ""
    # it may have ended between the two looks
    ended = records.outcome(layout, job.job_id)
    if ended is None:
        return JobState.UNKNOWN, "its process is gone"
    return JobState(ended.state), _told(ended)


def _elapsed(job: JobRecord | None, outcome: Outcome | None) -> str:
    """Seconds of a local job, or of one that only its outcome tells of, as Slurm writes them."""
    start = outcome.started_at if outcome else job.submitted_at if job else ""
    if not start or (not outcome and job and job.executor == Executor.SLURM):
        return ""
    end = _moment(outcome.ended_at) if outcome else datetime.now(UTC)
    seconds = max(0, round((end - _moment(start)).total_seconds()))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
