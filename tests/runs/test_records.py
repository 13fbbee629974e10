"""iacfilter_hpc.runs.records: read as written, and named where they are damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from iacfilter_hpc.errors import IacfilterError, RunNotFound
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.record_schema import NEWER
from iacfilter_hpc.runs.states import FailureCause, JobState
from tests.made_runs import MadeRuns


def test_records_come_back_as_written(made: MadeRuns) -> None:
    layout = made.run("mine", gpus=4)
    job = made.job(layout)
    ended = made.outcome(layout, "FAILED", "out of memory")
    record = records.read_record(layout)
    assert (record.run, record.gpus, record.user) == ("mine", 4, "ada")
    assert records.jobs(layout) == [job]
    assert records.outcome(layout, "7") == ended
    assert records.outcome(layout, "8") is None


def test_jobs_come_oldest_first(made: MadeRuns) -> None:
    layout = made.run("mine")
    for job_id, second in (("10", 7), ("9", 7), ("2", 8), ("11", 6)):
        made.job(layout, job_id, submitted_at=f"2026-01-02T03:04:{second:02}Z")
    assert [job.job_id for job in records.jobs(layout)] == ["11", "9", "10", "2"]


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": 1}', b'{"run": "mine", "new": 1}'],
)
def test_a_damaged_record_is_named(made: MadeRuns, damage: bytes) -> None:
    layout = made.run("mine")
    layout.record.write_bytes(damage)
    layout.job("7").write_bytes(damage)
    layout.outcome("7").write_bytes(damage)
    with pytest.raises(IacfilterError, match=r"run\.json"):
        records.read_record(layout)
    with pytest.raises(IacfilterError, match=r"7_job\.json"):
        records.jobs(layout)
    with pytest.raises(IacfilterError, match=r"7_outcome\.json"):
        records.outcome(layout, "7")


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match=r"run\.json is missing"):
        records.read_record(RunLayout(tmp_path))


def test_a_record_that_cannot_be_written_is_named(tmp_path: Path, made: MadeRuns) -> None:
    layout = made.run("mine")
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(IacfilterError, match=r"x\.json cannot be written"):
        records.write_record(tmp_path / "file" / "x.json", records.read_record(layout))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("run.json", records.read_record),
        ("slurm/7_job.json", records.jobs),
        ("slurm/7_outcome.json", records.outcomes),
        ("slurm/7_drained.json", lambda layout: records.drained(layout, "7")),
    ],
)
def test_a_record_of_a_newer_version_is_refused_as_one(
    made: MadeRuns, name: str, read: Callable[[RunLayout], object]
) -> None:
    layout = made.run("mine")
    path = layout.directory / name
    path.write_text(json.dumps({"schema": 2, "of_a_newer_version": True}))
    with pytest.raises(IacfilterError) as caught:
        read(layout)
    assert caught.value.message == f"{path} has schema 2; this version reads 1"
    assert caught.value.hint == NEWER


# As earlier versions wrote them, key by key
OLD = {
    "run.json": """{
  "run": "mine", "approach": "encoder", "key": "0", "created_at": "2026-01-02T03:04:05Z",
  "user": "ada", "host": "login", "git_commit": null, "versions": {"torch": "2.9"},
  "model_name_or_path": "tiny", "gpus": 1, "nodes": 1, "num_processes": 1,
  "global_batch_size": 2, "data_sha256": {"train_file": "1"}, "argv": ["iacfilter-submit"],
  "schema": 1
}""",
    "slurm/7_job.json": """{
  "job_id": "7", "executor": "slurm", "purpose": "train", "host": "login",
  "submitted_at": "2026-01-02T03:04:06Z", "schema": 1
}""",
    "slurm/7_outcome.json": """{
  "job_id": "7", "restarts": 0, "state": "DRAINED", "exit_code": 0, "message": "stopped",
  "started_at": "2026-01-02T03:05:00Z", "ended_at": "2026-01-02T04:06:07Z", "nodes": ["gpu1"],
  "schema": 1
}""",
    "slurm/7_drained.json": """{
  "attempt": "7", "step": 9, "checkpoint": "checkpoint-9", "reason": "SIGUSR1",
  "saved_at": "2026-01-02T03:04:05Z", "schema": 1
}""",
    "slurm/7_failure_0.json": """{
  "schema": 1, "attempt": "7", "rank": 0, "node": "gpu1", "step": null, "kind": "error",
  "type": "DataError", "message": "no label"
}""",
    "memory.json": """{"schema": 1, "peak_bytes": 12346, "device": "a GPU"}""",
}


def test_records_of_earlier_versions_are_read(made: MadeRuns) -> None:
    """They lack what came later: the plan, the job that one follows, causes and next steps."""
    layout = made.run("mine")
    for name, text in OLD.items():
        (layout.directory / name).write_text(text)
    record = records.read_record(layout)
    assert (record.run, record.planned_bytes, record.versions) == ("mine", None, {"torch": "2.9"})
    (job,) = records.jobs(layout)
    assert (job.job_id, job.follows) == ("7", "")
    (outcome,) = records.outcomes(layout)
    assert (outcome.state, outcome.cause, outcome.next, outcome.saved) == ("DRAINED", "", "", 0)
    drained = records.drained(layout, "7")
    assert drained and (drained.step, drained.checkpoint) == (9, "checkpoint-9")
    failure = records.FAILURE.read(layout.failure("7", 0))
    assert (failure.kind, failure.step, failure.message) == ("error", None, "no label")
    assert records.PEAK.read(layout.memory).peak_bytes == 12346


def test_words_of_a_later_version_are_read(made: MadeRuns) -> None:
    """A cause or state that this version does not know must not stop what goes on with the run."""
    layout = made.run("mine")
    made.outcome(layout, "FAILED")
    path = layout.outcome("7")
    written = json.loads(path.read_text())
    path.write_text(json.dumps({**written, "state": "MOULTING", "cause": "novel"}))
    found = records.outcome(layout, "7")
    assert found
    assert (found.state, found.cause) == (JobState.UNKNOWN, FailureCause.KILLED)
