"""A run on a real cluster that has begun to train, and what becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import psutil

from iacfilter_hpc.runs.layout import RunLayout
from tests.cluster.chaos import processes
from tests.cluster.test_operations import LONG
from tests.cluster.toolkit import Toolkit


class Trained:
    """A long run that has begun to train, and what its files say."""

    def __init__(self, toolkit: Toolkit, approach: str, *options: str) -> None:
        self.toolkit = toolkit
        self.job_id = toolkit.submit(approach, "long", *LONG, *options)
        self.layout = RunLayout(toolkit.directory("long"))
        self.step_after(2)

    def until(self, condition: Callable[[], Any], seconds: float = 90) -> Any:
        """The condition's value once it is true."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{self.queue()}\n{self.toolkit.log('long')}"
            time.sleep(0.1)
        return found

    def step(self) -> int:
        try:
            return int(json.loads(self.layout.heartbeat.read_bytes())["step"])
        except (OSError, ValueError):
            return 0

    def step_after(self, step: int) -> None:
        self.until(lambda: self.step() > step)

    def outcome(self, attempt: str, *, is_requeued: bool = True) -> dict[str, Any]:
        """How an attempt ended, and what was decided; where requeueing is refused, only then."""
        path = self.layout.outcome(attempt)

        def decided() -> dict[str, Any]:
            found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
            is_moving = found.get("next") == "requeued" and not is_requeued
            return found if found.get("why") and not is_moving else {}

        found: dict[str, Any] = self.until(decided)
        return found

    def queue(self) -> str:
        return self.toolkit.cluster.run("squeue", "--states=all", check=False).stdout

    def node(self) -> str:
        return str(self.toolkit.status("long")["nodes"])

    def trainers(self) -> list[psutil.Process]:
        return processes(self.job_id, "rank")

    def goes_on(self, attempt: str, step: int) -> None:
        """The attempt trains, from no earlier step than this, with logs of its own."""
        log = self.layout.error_log(attempt)
        self.until(lambda: log.exists() and "going on from checkpoint-" in log.read_text())
        self.until(lambda: self.step() > step)
        assert self.layout.error_log(self.job_id).exists()
