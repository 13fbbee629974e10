"""Rehearsal: a tiny run on the real cluster, stopped as by a preemption, and what that lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import JobFailed
from iacfilter_hpc.launch import submission
from iacfilter_hpc.launch.status import status_report
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.drain_request import ask
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.progress import last_step
from iacfilter_hpc.runs.states import Executor
from iacfilter_hpc.runs.tree import new_name
from iacfilter_hpc.slurm.jobs import send_signal, take_nodes
from iacfilter_hpc.slurm.queue import queued

POLL_S = 0.5
ENOUGH_STEPS = 3
"""Optimizer steps between two interruptions, so that each has new work to lose."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stop:
    """One interruption: the optimizer steps at which training stopped and went on."""

    how: str
    attempt: str
    saved_at: int
    went_on_at: int


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """Rehearsal result: the stops of one run, and how its weights compare with its twin's."""

    run: str
    twin: str
    stops: tuple[Stop, ...]
    weights_equal: bool

    @property
    def survives(self) -> bool:
        """Whether nothing was lost: equal weights, and each stop went on where it had saved."""
        # Equal weights alone do not prove it: final/ holds the best epoch, which may lie before a
        # stop. Steps alone do not either: what a checkpoint lacks shows only in later weights.
        return self.weights_equal and all(s.saved_at == s.went_on_at for s in self.stops)


def rehearse(
    config: RunConfig, site: Site, models: Path, say: Say, partition: str | None = None
) -> RehearsalResult:
    """Train a tiny run twice from the same rendered script: left alone, and stopped more than once.

    It is stopped once by its drain file, and once by SIGTERM to its steps, which is what a
    preemption with GraceTime sends (https://slurm.schedmd.com/preempt.html). Then, where there is a
    partition whose jobs preempt it, by a job of that one that wants its nodes.

    Raises:
        JobFailed: a job of it failed.
        SubmissionError, SlurmUnreachable: a job could not be submitted.
    """
    # A twin, not a stored result: only the same versions on the same machines give the same bits
    # (https://docs.pytorch.org/docs/stable/notes/randomness.html). Both are submitted before either
    # is waited for, so that they train side by side.
    name = config.name or new_name(config.approach)
    twin = submission.submit(_named(config, f"{name}-twin"), site, models, Executor.SLURM).layout
    cut = submission.submit(_named(config, f"{name}-cut"), site, models, Executor.SLURM).layout
    say(f"{twin.name} is left alone; {cut.name} is stopped (files: {cut.directory})")
    stops: list[Stop] = []
    ways = [("drain file", _by_file), ("SIGTERM to its steps", _by_signal)]
    if partition is not None:
        # last: it waits for the twin, and the other stops need not
        ways.append((f"a job of {partition}", partial(_by_preemption, partition=partition)))
    for how, stop in ways:
        if how == ways[-1][0] and partition is not None:
            # it may stand on the same node, which the other job takes as a whole
            _wait(twin, twin.final.is_dir)
        attempt = _running_attempt(cut, ENOUGH_STEPS + (stops[-1].went_on_at if stops else 0))
        stop(cut, attempt)
        # scontrol requeue holds a job for 121 s (measured, Slurm 22.05): nothing hangs meanwhile
        say(f"{cut.name}: stopped by {how}; Slurm may hold it two minutes before it goes on")
        stops.append(_went_on(cut, how, attempt))
        say(f"{cut.name}: saved step {stops[-1].saved_at}, went on at {stops[-1].went_on_at}")
    for layout in (cut, twin):
        _wait(layout, layout.final.is_dir)
    return RehearsalResult(cut.name, twin.name, tuple(stops), _weights(cut) == _weights(twin))


def describe(result: RehearsalResult) -> str:
    """Rehearsal result as text, a line for each stop."""
    stops = [
        f"  {stop.how}: saved at step {stop.saved_at}, went on at step {stop.went_on_at}"
        for stop in result.stops
    ]
    same = "equal to" if result.weights_equal else "DIFFERENT FROM"
    return "\n".join(
        [
            "Survives: nothing was lost" if result.survives else "DOES NOT SURVIVE",
            *stops,
            f"  final weights of {result.run} are {same} those of {result.twin}, bit for bit",
        ]
    )


def _named(config: RunConfig, name: str) -> RunConfig:
    return config.model_copy(update={"name": name})


def _by_file(layout: RunLayout, attempt: str) -> None:
    ask(layout, "rehearsal")


def _by_signal(layout: RunLayout, attempt: str) -> None:
    # Slurm knows the job, `12`; `12.1` is our name for its second start
    send_signal("TERM", attempt.partition(".")[0])


def _by_preemption(layout: RunLayout, attempt: str, *, partition: str) -> None:
    nodes = queued()[attempt.partition(".")[0]].nodes
    take_nodes(partition, nodes)


def _running_attempt(layout: RunLayout, step: int) -> str:
    """The newest attempt, once training has come to this step."""
    _wait(layout, lambda: (last_step(layout) or 0) >= step)
    return _newest_attempt(layout)


def _newest_attempt(layout: RunLayout) -> str:
    return records.attempts(layout, records.jobs(layout)[-1].job_id)[-1]


def _went_on(layout: RunLayout, how: str, attempt: str) -> Stop:
    _wait(layout, lambda: records.drained(layout, attempt) is not None)
    drained = records.drained(layout, attempt)
    assert drained is not None
    # both: the old attempt's own record, where it went on itself, must not be taken for the next's
    _wait(layout, lambda: _newest_attempt(layout) != attempt and _went_on_at(layout) is not None)
    went_on_at = _went_on_at(layout)
    assert went_on_at is not None
    return Stop(how, attempt, drained.step, went_on_at)


def _went_on_at(layout: RunLayout) -> int | None:
    """The step that the newest attempt went on from; None until it has said so."""
    resumed = records.resumed(layout, _newest_attempt(layout))
    return resumed.step if resumed else None


def _wait(layout: RunLayout, condition: Callable[[], object]) -> None:
    """Until the condition holds. Raises JobFailed once the run has ended without it."""
    while not condition():
        (state,) = status_report([layout]).states
        # asked again: what is waited for may have come between the two looks
        if state.ended and not condition():
            raise JobFailed(
                f"{layout.name} is {state.state}: {state.reason or 'no reason is known'}",
                hint=f"iacfilter-logs {layout.name}",
            )
        time.sleep(POLL_S)


def _weights(layout: RunLayout) -> Sequence[str]:
    """The sha256 of each file of weights in final/, whatever the approach calls it."""
    found = sorted(layout.final.glob("*.safetensors"))
    # two runs of no weights would be equal
    if not found:
        raise JobFailed(f"{layout.final} has no weights")
    return [sha256_of(path) for path in found]
