"""Cost of a run: parameters trained, hours, and how fast it trains and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from safetensors import safe_open

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.progress import LogEvent, log_events
from iacfilter_hpc.runs.states import Purpose
from iacfilter_hpc.trained_model.decision import Decision

SLACK = 1.0
"""Seconds by which a log event may seem to be older than the session that wrote it.

A session's beginning is reckoned back from its last event, which is stamped a little after the
Trainer has measured the runtime.
"""

Clock = Literal["sacct", "own clock", "measured here"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one member; None where a figure is not known.

    `hours` are those of its training jobs by the clock on the wall, `gpus` how many GPUs were
    taken for as long (0 on CPU). Training speed counts each epoch's samples anew, over all
    processes, and includes the evaluation after each epoch.
    """

    name: str
    trained_parameters: int | None
    hours: float | None
    gpus: int | None
    clock: Clock | None
    train_samples_per_s: float | None
    scored_samples_per_s: float | None

    @classmethod
    def unknown(cls, name: str) -> Cost:
        """Cost of decisions which come from elsewhere: every figure is None."""
        return cls(name, None, None, None, None, None, None)

    @property
    def gpu_hours(self) -> float | None:
        """GPUs times hours; None on CPU too, where the hours say it all."""
        return None if self.hours is None or not self.gpus else self.hours * self.gpus


def cost_of(
    run: RunLayout,
    config: RunConfig,
    decision: Decision,
    accounted: Mapping[str, float],
    scored_samples_per_s: float | None,
) -> Cost:
    """Cost of a run; `accounted` has the seconds of those of its jobs that sacct knows.

    Raises:
        IacfilterError: a record of the run is damaged.
    """
    hours, clock = _hours(run, accounted)
    # the record has what Slurm was asked for, whether or not training then used it
    gpus = 0 if config.training.use_cpu else records.read_record(run).gpus
    return Cost(
        name=run.name,
        trained_parameters=count_parameters(run.final),
        hours=hours,
        gpus=gpus,
        clock=clock,
        train_samples_per_s=train_speed(run.metrics, decision.train_audit.samples),
        scored_samples_per_s=scored_samples_per_s,
    )


def count_parameters(final: Path) -> int:
    """Count of the numbers that the weights in final/ hold: an adapter's, or all of an encoder's.

    Only the headers of the files are read: 8 bytes of length, then JSON with every shape.
    Source: https://huggingface.co/docs/safetensors/index#format
    """
    total = 0
    for path in sorted(final.glob("*.safetensors")):
        # numpy lacks bfloat16, but a slice tells its shape unread; "pt" would import torch
        with safe_open(path, framework="numpy") as file:
            total += sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    return total


def train_speed(metrics: Path, samples: int) -> float | None:
    """Training speed in samples a second, from metrics.jsonl; `samples` is those of one epoch.

    None where no session has ended, so that nothing tells how long it took.

    The Trainer's own figure assumes that no epoch was saved by stopping early, and its runtime is
    that of one session, whereas its epoch counts those of earlier sessions too. So a session that
    went on with an earlier one is measured from its first log event to its last.
    """
    epochs, seconds = 0.0, 0.0
    # oldest first: train_runtime ends a session, and any event before it may be of that session
    before: list[_Logged] = []
    for event in map(_logged, log_events(metrics)):
        before.append(event)
        if event.runtime is not None and event.runtime > 0 and event.epoch is not None:
            done, took = _session(before, event.epoch, event.runtime)
            epochs, seconds = epochs + done, seconds + took
    return samples * epochs / seconds if epochs > 0 and seconds > 0 else None


@dataclass(frozen=True, slots=True)
class _Logged:
    """What a log event says of the clock; `at` is its own time, `runtime` that of its session."""

    at: float | None
    epoch: float | None
    runtime: float | None


def _logged(event: LogEvent) -> _Logged:
    return _Logged(
        at=event.at.timestamp() if event.at else None,
        epoch=event.number("epoch"),
        runtime=event.number("train_runtime"),
    )


def _session(events: Sequence[_Logged], epoch: float, runtime: float) -> tuple[float, float]:
    """Epochs and seconds of the session that the last of the events ends."""
    end = events[-1].at
    if end is None:
        return epoch, runtime
    begin = end - runtime - SLACK
    inside = [event for event in events if event.at is not None and event.at >= begin]
    # the first session: its epochs begin at 0, and the Trainer has measured it exactly
    if len(inside) == len(events):
        return epoch, runtime
    first = next((e for e in inside if e.epoch is not None and e.at is not None), None)
    # nothing was logged between beginning and end, as where a finished training is gone on with
    if first is None or first.epoch is None or first.at is None:
        return 0.0, 0.0
    return epoch - first.epoch, end - first.at


def _hours(run: RunLayout, accounted: Mapping[str, float]) -> tuple[float | None, Clock | None]:
    """Hours of all attempts of all training jobs; None if those of any are not known."""
    jobs = [job for job in records.jobs(run) if job.purpose == Purpose.TRAIN]
    # all by one clock: sacct counts a job from its start, the worker from its own
    if jobs and all(job.job_id in accounted for job in jobs):
        return sum(accounted[job.job_id] for job in jobs) / 3600, "sacct"
    attempts = [attempt for job in jobs for attempt in records.attempts(run, job.job_id)]
    outcomes = [records.outcome(run, attempt) for attempt in attempts]
    # an attempt leaves its outcome when it ends; one that was killed outright leaves none
    spans = [_seconds(outcome.started_at, outcome.ended_at) for outcome in outcomes if outcome]
    # a sum that lacks an attempt would pass for a cheaper run
    if not jobs or len(spans) < len(attempts):
        return None, None
    return sum(spans) / 3600, "own clock"


def _seconds(start: str, end: str) -> float:
    return (records.moment(end) - records.moment(start)).total_seconds()
