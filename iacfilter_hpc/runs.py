"""Create, find and list runs: the directories models/<approach>/<run> and their records."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from iacfilter_hpc.errors import IacfilterError, RunNotFound, UsageError
from iacfilter_hpc.files import write_json
from iacfilter_hpc.layout import RunLayout

SCHEMA = 1
APPROACHES = ("encoder", "generative")


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
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """slurm/<job_id>_job.json: one job of a run, written once after submission."""

    job_id: str
    executor: str
    """`slurm`, or `local` for a process of `host`."""
    purpose: str
    """`train` or `evaluate`."""
    host: str
    submitted_at: str
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """slurm/<job_id>_outcome.json: how a job ended, written by its worker on the first node."""

    job_id: str
    state: str
    """Slurm's words: COMPLETED, FAILED or CANCELLED."""
    exit_code: int
    message: str
    started_at: str
    ended_at: str
    nodes: list[str]
    schema: int = SCHEMA


Record = TypeVar("Record", RunRecord, JobRecord, Outcome)


def now() -> str:
    """This moment in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_name(approach: str) -> str:
    """A run's name: approach, local date and time, four random hex digits."""
    import secrets  # 12 ms that status need not spend

    return f"{approach}-{datetime.now().strftime('%m%d-%H%M')}-{secrets.token_hex(2)}"


def create(models: Path, approach: str, name: str) -> RunLayout:
    """Claim a new run's directory; mkdir has one winner, also on NFS.

    Raises:
        UsageError: a run of that name exists, in either approach.
        IacfilterError: the directory cannot be written.
    """
    for other in APPROACHES:
        if (models / other / name).exists():
            raise UsageError(
                f"run {name} exists already: {models / other / name}", hint="choose another --name"
            )
    layout = RunLayout(models / approach / name)
    try:
        layout.directory.parent.mkdir(parents=True, exist_ok=True)
        layout.directory.mkdir()
        layout.slurm.mkdir()
    except FileExistsError as error:
        raise UsageError(f"run {name} exists already: {layout.directory}") from error
    except OSError as error:
        raise IacfilterError(
            f"{error.filename} cannot be made: {error.strerror}", hint="choose another --models-dir"
        ) from error
    return layout


def write_record(path: Path, record: RunRecord | JobRecord | Outcome) -> None:
    """Write a record, all of it or nothing."""
    try:
        write_json(path, asdict(record))
    except OSError as error:
        raise IacfilterError(f"{path} cannot be written: {error.strerror}") from error


def all_runs(models: Path) -> list[RunLayout]:
    """Every run under the models directory, oldest first."""
    found = [
        RunLayout(record.parent)
        for approach in APPROACHES
        for record in models.glob(f"{approach}/*/run.json")
    ]
    return sorted(found, key=lambda layout: (layout.record.stat().st_mtime_ns, layout.name))


def find(models: Path, name: str) -> RunLayout:
    """The run of that name, of that directory, or with that job id.

    Raises:
        RunNotFound: there is none.
    """
    if "/" in name and (Path(name) / "run.json").is_file():
        return RunLayout(Path(name).absolute())
    for approach in APPROACHES:
        layout = RunLayout(models / approach / name)
        if layout.record.is_file():
            return layout
    for layout in reversed(all_runs(models)):
        if name.isdecimal() and layout.job(name).is_file():
            return layout
    raise RunNotFound(f"no run {name} under {models}", hint="iacfilter-status lists them")


def read_record(layout: RunLayout) -> RunRecord:
    """run.json of a run.

    Raises:
        IacfilterError: it is damaged or of a newer version.
    """
    record = _record(layout.record, RunRecord)
    if record is None:
        raise RunNotFound(f"{layout.record} is missing")
    return record


def jobs(layout: RunLayout) -> list[JobRecord]:
    """The jobs of a run, oldest first."""
    records = [
        record
        for path in layout.slurm.glob("*_job.json")
        if (record := _record(path, JobRecord)) is not None
    ]
    return sorted(records, key=lambda job: (job.submitted_at, len(job.job_id), job.job_id))


def outcome(layout: RunLayout, job_id: str) -> Outcome | None:
    """How a job ended; None while it has not told."""
    return _record(layout.outcome(job_id), Outcome)


def _record(path: Path, kind: type[Record]) -> Record | None:
    """The record in a file; None if there is no file.

    Raises:
        IacfilterError: it is damaged or of a newer version.
    """
    fields = _read(path)
    if fields is None:
        return None
    try:
        return kind(**fields)
    except TypeError as error:
        raise IacfilterError(f"{path} is not a record of schema {SCHEMA}: {error}") from error


def _read(path: Path) -> dict[str, Any] | None:
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise IacfilterError(f"{path} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise IacfilterError(f"{path} is not a record")
    return fields
