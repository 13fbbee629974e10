"""CPU time of the light commands, child processes included: python -m tests.bench.commands."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.files import write_json
from tests.cli.commands import COMMANDS
from tests.made_runs import MadeRuns

BIN = Path(sys.executable).parent
ROUNDS = 15
RUNS = 100


def main() -> None:
    """Print the minimum of CPU milliseconds over fresh processes, beside bare Python's."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        for number in range(RUNS):
            make_run(MadeRuns(models), number)
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


def make_run(made: MadeRuns, number: int) -> None:
    """A finished Slurm run with 200 lines of metrics; squeue is asked for it all the same."""
    layout, job_id = made.run(f"run-{number:03}", "generative"), str(1000 + number)
    made.job(layout, job_id)
    made.outcome(layout, "COMPLETED", job_id=job_id)
    beat: dict[str, object] = {"time": records.now(), "max_steps": 200, "loss": 0.5}
    made.metrics(layout, *({**beat, "step": step} for step in range(1, 201)))
    write_json(layout.heartbeat, {**beat, "step": 200, "eval_f1": 0.8})


if __name__ == "__main__":
    main()
