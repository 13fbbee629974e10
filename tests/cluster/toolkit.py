"""The toolkit's commands as a person runs them, against a private cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Toolkit:
    """Commands with a models directory of their own."""

    cluster: Cluster
    models: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, *arguments: str, timeout: float = 120) -> Answer:
        """One command, such as `submit`, to its end."""
        done = subprocess.run(
            [BIN / f"iacfilter-{command}", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.cluster.env,
            "HF_HUB_OFFLINE": "1",
            "IACFILTER_MODELS": str(self.models),
            **self.variables,
        }

    def submit(self, approach: str, name: str, *arguments: str) -> str:
        """Submit a tiny model on the demo data; answers the job id."""
        answer = self.run("submit", *self.tiny(approach, name), *arguments, "--json")
        assert answer.code == 0, answer.err
        return str(answer.json["job_id"])

    def tiny(self, approach: str, name: str) -> list[str]:
        return [
            f"--approach={approach}",
            f"--name={name}",
            f"--config={approach}-tiny",
            f"--train-file={DEMO / 'train.jsonl'}",
            f"--validation-file={DEMO / 'validation.jsonl'}",
            "--set=resources.mem=null",
            "--set=resources.cpus_per_task=1",
        ]

    def status(self, run: str) -> dict[str, Any]:
        """One run of `iacfilter-status --json`."""
        answer = self.run("status", run, "--json")
        assert answer.code == 0, answer.err
        (found,) = answer.json["runs"]
        return dict(found)

    def wait(self, run: str, *states: str, timeout: float = 180) -> dict[str, Any]:
        """Ask for the status until it is one of these states."""
        deadline = time.monotonic() + timeout
        while True:
            queued = self._queued()
            found = self.status(run)
            if found["state"] in states:
                return found
            ended = found["state"] not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING")
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{run} is {found}\n{self.log(run)}")
            self._wait_for_change(queued)

    def _wait_for_change(self, queued: str, seconds: float = 5) -> None:
        """Until Slurm has news: a Python started that often takes the cores from what trains."""
        deadline = time.monotonic() + seconds
        while self._queued() == queued and time.monotonic() < deadline:
            time.sleep(0.25)

    def _queued(self) -> str:
        """Each job's id and state; what it says while the controller is away is no news either."""
        listed = ("squeue", "--noheader", "--states=all", "--format=%i %T")
        return self.cluster.run(*listed, check=False).stdout

    def log(self, run: str) -> str:
        """All that a run's jobs have written."""
        paths = sorted(self.models.glob(f"*/{run}/slurm/*_log.*"))
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in paths)

    def directory(self, run: str) -> Path:
        (found,) = self.models.glob(f"*/{run}")
        return found
