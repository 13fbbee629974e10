"""Callbacks: they write what others read, metrics.jsonl, heartbeat.json and memory.json."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from iacfilter_hpc.runs.files import write_atomically, write_json
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.progress import log_event
from iacfilter_hpc.runs.record_schema import write
from iacfilter_hpc.runs.records import PeakRecord
from iacfilter_hpc.training.phases import Phases


class PeakMemory(TrainerCallback):
    """Peak of GPU memory, written once training has ended; later plans are corrected by it.

    Never on a CPU, where the process's memory is no measure.
    """

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._has_stepped = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Note that a step was seen: an attempt that finds all made does not know their need."""
        self._has_stepped = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write the peak of the process that needed most."""
        # both are alike in every process: one that returned alone would leave the others waiting
        if args.device.type != "cuda" or not self._has_stepped:
            return
        peak = _largest(torch.cuda.max_memory_allocated(), args.device)
        if state.is_world_process_zero:
            name = torch.cuda.get_device_name()
            write(self._layout.memory, PeakRecord(peak_bytes=peak, device=name))


def _largest(count: int, device: torch.device) -> int:
    """The largest of the processes' counts."""
    found = torch.tensor(count, device=device)
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
    return int(found.item())


logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
"""Least time between heartbeats of steps that log nothing."""

Number = float | int | str | None


class MetricsCallback(TrainerCallback):
    """metrics.jsonl and heartbeat.json: written by the main process only, and always valid JSON.

    A number that is not finite is null: Python would write NaN, which is no JSON.
    """

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._beaten = -math.inf
        # beside the step, so that a reader of many runs need not search their metrics
        self._newest: dict[str, Number] = {"loss": None, "eval_f1": None, "checkpoint": None}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Say how many steps there will be; forget what an earlier attempt did and did not save."""
        if state.is_world_process_zero and self._layout.metrics.exists():
            lines = self._layout.metrics.read_bytes().splitlines(keepends=True)
            # steps after the checkpoint are made again: their lines would stand there twice
            kept = [line for line in lines if _step_of(line) <= state.global_step]
            write_atomically(self._layout.metrics, b"".join(kept).decode())
        # a resumed run stands at its checkpoint; a fresh one at step 0, where nothing is saved
        self._newest["checkpoint"] = state.global_step or None
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
        if state.is_world_process_zero:
            self.note(state, logs or {})

    def note(self, state: TrainerState, found: Mapping[str, Number]) -> None:
        """Append one line; the main process alone may."""
        event: dict[str, Number] = {**_progress(state), **found}
        lost = [name for name, value in event.items() if _is_not_finite(value)]
        if lost:
            logger.warning("step %d: %s is not finite", state.global_step, ", ".join(lost))
        event |= dict.fromkeys(lost)
        # opened for each line: what a file keeps in its buffer is lost when the process is killed
        with self._layout.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        self._newest |= {name: event[name] for name in self._newest if name in event}
        self._beat(state)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Say what is safe now."""
        self._newest["checkpoint"] = state.global_step
        self._beat(state)

    def _beat(self, state: TrainerState) -> None:
        if state.is_world_process_zero:
            self._beaten = time.monotonic()
            write_json(self._layout.heartbeat, {**_progress(state), **self._newest})


class FirstStep(TrainerCallback):
    """Time of an attempt to its first step, told in the log and in metrics.jsonl."""

    def __init__(self, phases: Phases, metrics: MetricsCallback) -> None:
        self._phases = phases
        self._metrics = metrics
        self._is_over = False

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Enter the last phase: all is set up."""
        if state.is_world_process_zero and not self._is_over:
            self._phases.enter("first step")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Tell the phases, once: later steps have no start."""
        if state.is_world_process_zero and not self._is_over:
            self._is_over = True
            start = self._phases.end()
            logger.info("%s", start.describe())
            self._metrics.note(state, start.event())


class LastStep(TrainerCallback):
    """Step that training is at, known also after an exception: a failure's record names it."""

    value: int | None = None

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Remember how many steps were made before this one."""
        self.value = state.global_step


def _progress(state: TrainerState) -> dict[str, Number]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "step": state.global_step,
        "max_steps": state.max_steps,
        "epoch": state.epoch,
    }


def _step_of(line: bytes) -> int:
    """The step of a line of metrics.jsonl; beyond all where a kill left half a line."""
    event = log_event(line)
    return sys.maxsize if event is None or event.step is None else event.step


def _is_not_finite(value: Number) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
