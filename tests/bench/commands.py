"""CPU time of the light commands, child processes included: python -m tests.bench.commands."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from iacfilter_hpc import runs
from iacfilter_hpc.files import write_json
from iacfilter_hpc.runs import JobRecord, Outcome, RunRecord

BIN = Path(sys.executable).parent
ROUNDS = 15
RUNS = 100
COMMANDS = ("submit", "status", "logs", "cancel", "evaluate")


def main() -> None:
    """Print the minimum of CPU milliseconds over fresh processes, beside bare Python's."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        for number in range(RUNS):
            make_run(models, number)
        environment = os.environ | {"IACFILTER_MODELS": str(models)}
        rows = [("python -c pass", [sys.executable, "-c", "pass"])]
        rows += [
            (f"{name} --help", [str(BIN / f"iacfilter-{name}"), "--help"]) for name in COMMANDS
        ]
        status = str(BIN / "iacfilter-status")
        rows += [(f"status, {RUNS} runs", [status]), ("status --json", [status, "--json"])]
        print(f"CPU ms (user + system, children included), minimum of {ROUNDS} fresh processes")
        for name, argv in rows:
            print(f"{name:20}{min(cpu_ms(argv, environment) for _ in range(ROUNDS)):7.0f}")


def cpu_ms(argv: list[str], environment: dict[str, str]) -> float:
    """User and system time of a process and of all children it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def make_run(models: Path, number: int) -> None:
    """A finished Slurm run with 200 lines of metrics; squeue is asked for it all the same."""
    layout = runs.create(models, "generative", f"run-{number:03}")
    record = RunRecord(
        run=layout.name,
        approach="generative",
        key="0" * 64,
        created_at=runs.now(),
        user="bench",
        host="bench",
        git_commit=None,
        versions={},
        model_name_or_path="tiny",
        gpus=4,
        nodes=1,
        num_processes=4,
        global_batch_size=32,
        data_sha256={},
        argv=[],
    )
    runs.write_record(layout.record, record)
    job_id = str(1000 + number)
    job = JobRecord(
        job_id=job_id, executor="slurm", purpose="train", host="bench", submitted_at=runs.now()
    )
    runs.write_record(layout.job(job_id), job)
    outcome = Outcome(
        job_id=job_id,
        state="COMPLETED",
        exit_code=0,
        message="",
        started_at=runs.now(),
        ended_at=runs.now(),
        nodes=["n1"],
    )
    runs.write_record(layout.outcome(job_id), outcome)
    line = '{"time": "2026-01-01T00:00:00Z", "step": %d, "max_steps": 200, "loss": 0.5}\n'
    layout.metrics.write_text("".join(line % step for step in range(1, 201)))
    beat = {"step": 200, "max_steps": 200, "time": runs.now(), "loss": 0.5, "eval_f1": 0.8}
    write_json(layout.heartbeat, beat)


if __name__ == "__main__":
    main()
