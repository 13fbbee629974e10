"""A run that is stopped on a real cluster in one of several ways, and its twin left alone."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.runs.files import sha256_of
from tests.cluster.toolkit import DEMO, Toolkit

SAMPLES = 160
STOP_AT = 15
"""The step from which on a run is stopped."""


@dataclass(frozen=True)
class Layout:
    """On what a run trains, and for how long: to be met while it runs, or by its time limit.

    Slurm looks at time limits every 30 s: the signal comes 10 to 30 s before limit - lead.
    Processes that are slow to start need a later one, or no attempt comes far.
    """

    name: str
    approach: str
    nodes: int
    processes: int
    epochs: int
    epochs_to_limit: int
    limit_minutes: int
    lead_seconds: int

    def epochs_for(self, how: str) -> int:
        return self.epochs_to_limit if how == "walltime" else self.epochs


LAYOUTS = {
    layout.name: layout
    for layout in (
        # 8,000 steps: the signal comes after 40 s, and a machine was seen that makes 152 a second
        Layout("encoder 1x1", "encoder", 1, 1, 12, 100, 2, 80),
        Layout("generative 1x2", "generative", 1, 2, 2, 22, 3, 120),
        Layout("generative 2x2", "generative", 2, 4, 3, 24, 3, 120),
    )
}


@dataclass(frozen=True)
class Result:
    """What became of a run that was stopped once; seconds are wall time."""

    stopped_at: int
    resumed_at: int
    exit_seconds: float
    again_seconds: float
    is_equal: bool

    @property
    def lost_steps(self) -> int:
        return self.stopped_at - self.resumed_at


Stop = Callable[[Toolkit, str, str], None]


def by_walltime(toolkit: Toolkit, run: str, job_id: str) -> None:
    """Its time limit is short: nothing to do but to wait."""


def by_preemption(toolkit: Toolkit, run: str, job_id: str) -> None:
    """A job of a higher partition that wants every node."""
    nodes = str(len(toolkit.cluster.nodes))
    toolkit.cluster.run("sbatch", "--partition=high", f"--nodes={nodes}", "--exclusive",
                        "--output=/dev/null", "--wrap=sleep 2")  # fmt: skip


def by_signal(toolkit: Toolkit, run: str, job_id: str) -> None:
    toolkit.cluster.run("scancel", "--signal=USR1", job_id)


def by_file(toolkit: Toolkit, run: str, job_id: str) -> None:
    assert toolkit.run("cancel", "--drain", run).code == 0


STOPS: dict[str, Stop] = {
    "walltime": by_walltime,
    "preemption": by_preemption,
    "scancel --signal": by_signal,
    "drain file": by_file,
}


def submit(toolkit: Toolkit, layout: Layout, epochs: int, name: str, *arguments: str) -> str:
    """A run of this layout; its job id."""
    data = toolkit.models.parent / "many.jsonl"
    if not data.exists():
        data.write_text(many_samples())
    shape = [f"--gpus={layout.processes}", f"--nodes={layout.nodes}"]
    if layout.approach == "generative":
        shape += [f"--set=accelerate.num_processes={layout.processes}"]
        shape += ["--set=lora.lora_dropout=0.2"]
    return toolkit.submit(
        layout.approach,
        name,
        *shape,
        f"--train-file={data}",
        f"--num-epochs={epochs}",
        "--batch-size=1",
        "--set=training.gradient_accumulation_steps=2",
        "--set=training.logging_steps=1",
        *arguments,
    )


def many_samples() -> str:
    """The demo's training samples over and over, each time at another line."""
    rows = [json.loads(line) for line in (DEMO / "train.jsonl").read_text().splitlines()]
    made = []
    for number in range(SAMPLES):
        row = rows[number % len(rows)]
        made.append(json.dumps({**row, "file": f"copy{number}/{row['file']}"}))
    return "\n".join(made) + "\n"


def weights(toolkit: Toolkit, run: str) -> dict[str, str]:
    """The sha256 of a finished run's weights and of its validation scores."""
    final = toolkit.directory(run) / "final"
    return {
        path.name: sha256_of(path)
        for path in final.iterdir()
        if path.suffix == ".safetensors" or path.name == "validation_scores.json"
    }


Twin = Callable[[], dict[str, str]]
"""Waits for a run that nothing stops to end, and answers its weights."""


def leave_alone(toolkit: Toolkit, layout: Layout, epochs: int) -> Twin:
    """Start a run that nothing stops."""
    name = f"twin-{layout.name.replace(' ', '-')}-{epochs}"
    submit(toolkit, layout, epochs, name)

    def finish() -> dict[str, str]:
        toolkit.wait(name, "COMPLETED", timeout=300)
        return weights(toolkit, name)

    return functools.cache(finish)


def stop_and_go_on(toolkit: Toolkit, layout: Layout, how: str, name: str, twin: Twin) -> Result:
    """Stop a run once, see it through to its end, and compare it with its twin."""
    limit = [
        f"--time=00:{layout.limit_minutes:02}:00",
        f"--set=requeue.lead_seconds={layout.lead_seconds}",
    ]
    job_id = submit(
        toolkit, layout, layout.epochs_for(how), name, *(limit if how == "walltime" else [])
    )
    directory = toolkit.directory(name)
    if how != "walltime":  # its signal may come before that step
        wait_for_step(toolkit, name, STOP_AT)
    drained = directory / "slurm" / f"{job_id}_drained.json"
    outcome = directory / "slurm" / f"{job_id}_outcome.json"
    stopped = time.monotonic()
    STOPS[how](toolkit, name, job_id)
    wait_until(lambda: (directory / "drain").exists() or drained.exists(), toolkit, name)
    if how == "walltime":
        stopped = time.monotonic()
    wait_until(drained.exists, toolkit, name)
    wait_until(outcome.exists, toolkit, name)
    ended = time.monotonic()
    told = json.loads(drained.read_text())
    again = f"{job_id}.1_0_log.err"
    wait_until(lambda: resumed_at(directory / "slurm" / again) is not None, toolkit, name)
    wait_until(lambda: step_of(directory) > told["step"], toolkit, name)
    running = time.monotonic()
    toolkit.wait(name, "COMPLETED", timeout=400)
    resumed = resumed_at(directory / "slurm" / again)
    assert resumed is not None
    return Result(
        stopped_at=told["step"],
        resumed_at=resumed,
        exit_seconds=round(ended - stopped, 1),
        again_seconds=round(running - ended, 1),
        is_equal=weights(toolkit, name) == twin(),
    )


def resumed_at(log: Path) -> int | None:
    """The step that an attempt went on from, as its log says."""
    marker = "going on from checkpoint-"
    text = log.read_text() if log.exists() else ""
    return int(text.partition(marker)[2].partition(",")[0]) if marker in text else None


def wait_for_step(toolkit: Toolkit, run: str, step: int) -> None:
    wait_until(lambda: step_of(toolkit.directory(run)) >= step, toolkit, run)


def step_of(directory: Path) -> int:
    try:
        return int(json.loads((directory / "heartbeat.json").read_bytes())["step"])
    except FileNotFoundError:
        return -1


def wait_until(condition: Callable[[], bool], toolkit: Toolkit, run: str) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {toolkit.status(run)}\n{toolkit.log(run)}")
        time.sleep(0.05)
