"""Runs as a submission leaves them, made without one."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.config.resolve import run_config
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout, resource
from iacfilter_hpc.runs.records import JobRecord, Outcome, RunRecord
from iacfilter_hpc.runs.tree import create_run

DEMO = {
    name: resource("configs", "demo", f"{name}.jsonl") for name in ("train", "validation", "test")
}

RECORD = RunRecord(
    run="set by MadeRuns",
    approach="encoder",
    key="0" * 64,
    created_at="2026-01-02T03:04:05Z",
    user="ada",
    host="login",
    git_commit=None,
    versions={},
    model_name_or_path="tiny",
    gpus=1,
    nodes=1,
    num_processes=1,
    global_batch_size=2,
    data_sha256={},
    argv=["iacfilter-submit"],
)


def demo_config(approach: str, *assignments: str, site: Site | None = None) -> RunConfig:
    """The configuration of `--approach ... --set ...` with the demo data."""
    files = [f"data.{name}_file={DEMO[name]}" for name in ("train", "validation")]
    return run_config(approach, site=site or Site(), assignments=[*files, *assignments])


class MadeRuns:
    """Makes runs below one models directory."""

    def __init__(self, models: Path) -> None:
        self.models = models

    def run(self, name: str, approach: str = "encoder", **fields: object) -> RunLayout:
        """A run without a job."""
        layout = create_run(self.models, approach, name)
        record = replace(RECORD, run=name, approach=approach, **fields)  # type: ignore[arg-type]
        records.write_record(layout.record, record)
        return layout

    def job(
        self,
        layout: RunLayout,
        job_id: str = "7",
        *,
        executor: str = "slurm",
        host: str | None = None,
        submitted_at: str = "2026-01-02T03:04:06Z",
    ) -> JobRecord:
        """The record of a job of a run."""
        record = JobRecord(
            job_id=job_id,
            executor=executor,
            purpose="train",
            host=host or socket.gethostname(),
            submitted_at=submitted_at,
        )
        records.write_record(layout.job(job_id), record)
        return record

    def outcome(
        self, layout: RunLayout, state: str, message: str = "", job_id: str = "7"
    ) -> Outcome:
        """How that job ended."""
        record = Outcome(
            job_id=job_id,
            state=state,
            exit_code=0 if state == "COMPLETED" else 1,
            message=message,
            started_at="2026-01-02T03:05:00Z",
            ended_at="2026-01-02T04:06:07Z",
            nodes=["gpu1", "gpu2"],
        )
        records.write_record(layout.outcome(job_id), record)
        return record

    def metrics(self, layout: RunLayout, *events: dict[str, object]) -> None:
        """What training has logged."""
        with layout.metrics.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in events)
