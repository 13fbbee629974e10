"""Phases of a start: where the seconds from srun to the first optimizer step go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LAUNCHER = "launcher"
"""From srun to the first line of train.py: Slurm, submitit, accelerate and torchelastic."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of each phase up to the first step, in order of their first entering."""

    phases: tuple[tuple[str, float], ...]

    @property
    def seconds(self) -> float:
        """Of all phases."""
        return sum(seconds for _, seconds in self.phases)

    def describe(self) -> str:
        """One line for the log."""
        names = [name for name, _ in self.phases]
        begun = "srun" if LAUNCHER in names else "the start of train.py"
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.phases)
        line = f"from {begun} to the first step {self.seconds:.1f} s: {parts}"
        return f"{line} (clocks differ)" if any(s < 0 for _, s in self.phases) else line

    def event(self) -> dict[str, float]:
        """For metrics.jsonl: `start_seconds`, and each phase as `start_seconds_<phase>`."""
        named = {f"start_seconds_{n.replace(' ', '_')}": round(s, 3) for n, s in self.phases}
        return {"start_seconds": round(self.seconds, 3), **named}


class Phases:
    """Adds up the seconds from one `enter` to the next.

    The clock is that on the wall: srun is started by another process, perhaps on another node. If
    its clock is ahead, the first phase is less than nothing, and is told so.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seconds: dict[str, float] = {}
        self._now: tuple[str, float] | None = None

    def enter(self, name: str, at: float | None = None) -> None:
        """Leave one phase for another, now or `at` a time in seconds since 1970."""
        moment = self._clock() if at is None else at
        self._leave(moment)
        self._now = name, moment

    def end(self) -> Start:
        """Leave the last phase."""
        self._leave(self._clock())
        self._now = None
        return Start(tuple(self._seconds.items()))

    def _leave(self, moment: float) -> None:
        if self._now is not None:
            name, since = self._now
            # may be entered again, as `data` is before and after the devices: its seconds add up
            self._seconds[name] = self._seconds.get(name, 0.0) + moment - since
