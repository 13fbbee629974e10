"""Progress that others can read: metrics.jsonl, heartbeat.json, checkpoints for the group."""

from __future__ import annotations

import json
import logging
import math
import time
from datetime import UTC, datetime

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from iacfilter_hpc.files import write_json
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.training.modes import share

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
"""Least time between heartbeats of steps that log nothing."""

Number = float | int | str | None


class MetricsCallback(TrainerCallback):
    """Writes on the main process only, and valid JSON only: a number that is not finite is null."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._beaten = -math.inf
        # beside the step, so that a reader of many runs need not search their metrics
        self._newest: dict[str, Number] = {"loss": None, "eval_f1": None}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Say how many steps there will be."""
        self._beat(state)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Show that steps go on between two log events."""
        if time.monotonic() - self._beaten >= HEARTBEAT_SECONDS:
            self._beat(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Number] | None = None,
        **_: object,
    ) -> None:
        """Append one line."""
        if not state.is_world_process_zero:
            return
        event: dict[str, Number] = {**_progress(state), **(logs or {})}
        lost = [name for name, value in event.items() if _is_not_finite(value)]
        if lost:
            logger.warning("step %d: %s is not finite", state.global_step, ", ".join(lost))
        event |= dict.fromkeys(lost)
        with self._layout.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        self._newest |= {name: event[name] for name in self._newest if name in event}
        self._beat(state)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Let the group read the checkpoint."""
        if state.is_world_process_zero:
            share(self._layout.directory / f"checkpoint-{state.global_step}")

    def _beat(self, state: TrainerState) -> None:
        if state.is_world_process_zero:
            self._beaten = time.monotonic()
            write_json(self._layout.heartbeat, {**_progress(state), **self._newest})


def _progress(state: TrainerState) -> dict[str, Number]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "step": state.global_step,
        "max_steps": state.max_steps,
        "epoch": state.epoch,
    }


def _is_not_finite(value: Number) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
