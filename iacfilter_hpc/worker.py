"""What runs on each node of a job: start the commands, pass signals on, record the outcome."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from iacfilter_hpc import command
from iacfilter_hpc.command import Node
from iacfilter_hpc.config import RunConfig, load_config
from iacfilter_hpc.detections.samples import sha256_of
from iacfilter_hpc.errors import IacfilterError, JobFailed
from iacfilter_hpc.family import run_to_end
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.runs import Outcome, now, read_record, write_record
from iacfilter_hpc.slurm.rendezvous import VARIABLE, free_port

ERROR_LINE = re.compile(
    r"(?:\[rank\d+\]: )?(?:error: (?=.)|(?=[A-Za-z_.]+(?:Error|Exception): ))(?P<what>.+)"
)
"""Of our own commands, or the last line of a traceback; torchelastic prefixes the rank."""


class Cancelled(JobFailed):
    """SIGTERM or SIGINT reached the worker."""


@dataclass(frozen=True)
class Worker:
    """One task a node; submitit pickles it and calls it there.

    Evaluates `data` if given, else trains and then evaluates the configuration's test file; both
    as `options` say.
    """

    directory: Path
    data: Path | None = None
    options: EvaluateOptions = DEFAULTS

    def __call__(self) -> None:
        """Run to the end; the first node writes the outcome.

        Raises:
            SystemExit: it failed, so that Slurm sees a non-zero exit code; the log says why.
        """
        layout, started_at = RunLayout(self.directory), now()
        job_id, rank, count, hostnames = _place()
        state, exit_code, message = "FAILED", 1, "the worker broke off"
        try:
            with _signals_stop_the_job():
                self._run(layout, job_id, rank, count)
            state, exit_code, message = "COMPLETED", 0, ""
        except IacfilterError as error:
            state = "CANCELLED" if isinstance(error, Cancelled) else "FAILED"
            message = error.message
            print(error.text(), file=sys.stderr, flush=True)  # noqa: T201 - the job's log
            raise SystemExit(1) from None
        finally:
            if rank == 0:
                ended = Outcome(
                    job_id=job_id,
                    state=state,
                    exit_code=exit_code,
                    message=message,
                    started_at=started_at,
                    ended_at=now(),
                    nodes=hostnames,
                )
                write_record(layout.outcome(job_id), ended)

    def _run(self, layout: RunLayout, job_id: str, rank: int, count: int) -> None:
        config = load_config(layout)
        host, port = _rendezvous(count)
        node = Node(rank, count, host, port)
        environment = command.environment(config, node, os.environ)
        log = layout.error_log(job_id, rank)
        if self.data is None:
            check_data(layout, config)
            _call(command.train(config, layout, node, sys.executable), environment, log)
        data = self.data or config.data.test_file
        if data is not None and rank == 0:
            argv = command.evaluate(layout, data, self.options, sys.executable)
            _call(argv, environment, log)


def check_data(layout: RunLayout, config: RunConfig) -> None:
    """Refuse data that is not the data of the submission.

    Raises:
        JobFailed: a file is gone or its content has changed since.
    """
    for name, expected in read_record(layout).data_sha256.items():
        path = getattr(config.data, name)
        try:
            found = sha256_of(path)
        except OSError as error:
            raise JobFailed(f"{path} cannot be read: {error.strerror}") from error
        if found != expected:
            raise JobFailed(
                f"{path} has changed since the run was submitted", hint="submit it anew"
            )


def _place() -> tuple[str, int, int, list[str]]:
    """Job id, this node's rank, the number of nodes and their names."""
    import submitit

    job = submitit.JobEnvironment()
    return job.job_id, job.node, job.num_nodes, list(job.hostnames)


def _rendezvous(nodes: int) -> tuple[str, int]:
    """Where the processes meet: the batch script says it; one machine alone finds a port itself."""
    given = os.environ.get(VARIABLE)
    if given:
        host, _, port = given.rpartition(":")
        return host, int(port)
    if nodes > 1:
        raise JobFailed(f"{VARIABLE} is not set on {socket.gethostname()}, one of {nodes} nodes")
    return "127.0.0.1", free_port()


@contextmanager
def _signals_stop_the_job() -> Iterator[None]:
    """SIGTERM and SIGINT raise Cancelled, once; submitit would let SIGTERM pass unheeded."""

    def stop(number: int, _: FrameType | None) -> None:
        for repeated in before:  # another one must not break off the stopping
            signal.signal(repeated, signal.SIG_IGN)
        raise Cancelled(f"stopped by {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _call(argv: list[str], environment: dict[str, str], log: Path) -> None:
    """Run a command to its end; `log` is where its standard error goes.

    Raises:
        JobFailed: it ended with a non-zero exit code or by a signal.
    """
    code = run_to_end(argv, environment)
    if code:
        how = f"exit code {code}" if code > 0 else _signal_name(-code)
        job = next(Path(word).name for word in argv if word.endswith(".py"))
        cause = first_error(log)
        ended = f"{job} ended with {how}"
        raise JobFailed(f"{cause} ({ended})" if cause else ended, hint=f"the whole log is {log}")


def first_error(log: Path) -> str | None:
    """What the first line `error: ...` or `SomeError: ...` of a log says; None if it has none.

    The first, since launchers and other ranks complain after it.
    """
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            found = next(filter(None, map(ERROR_LINE.match, file)), None)
    except OSError:
        return None
    return found["what"].strip() if found else None


def _signal_name(number: int) -> str:
    named = number in {known.value for known in signal.Signals}  # real-time signals have no name
    return signal.Signals(number).name if named else f"signal {number}"
