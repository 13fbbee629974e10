"""iacfilter_hpc.worker.signals: what signals mean to a process that listens, in a real one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iacfilter_hpc.runs.drain_request import DRAIN_SIGNALS, ask
from iacfilter_hpc.runs.layout import RunLayout

LISTENS = """
import sys, time
from pathlib import Path
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.worker.signals import Stopped, listening
run = Path(sys.argv[1])
with listening(RunLayout(run), "7", "7.1") as requests:
    requests.is_training = sys.argv[2] == "training"
    try:
        print(requests.local, flush=True)
        while not (run / "end").exists():
            time.sleep(0.02)
    except Stopped as error:
        print(type(error).__name__, error.message, flush=True)
    print(requests.local.exists(), *requests.heard, flush=True)
print("after", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    layout = RunLayout(tmp_path / "run")
    layout.slurm.mkdir(parents=True)
    return layout


class Listener:
    """A process that listens, and where its local request shows."""

    def __init__(self, run: RunLayout, what: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LISTENS, str(run.directory), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.local = Path(self.line())

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


Listen = Callable[..., Listener]


@pytest.fixture
def listen(run: RunLayout) -> Iterator[Listen]:
    """Starts a process that listens while it trains, or while it does something else."""
    made: list[Listener] = []

    def begin(what: str = "training") -> Listener:
        made.append(Listener(run, what))
        return made[-1]

    yield begin
    for listener in made:
        listener.process.kill()
        listener.process.communicate()


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("number", DRAIN_SIGNALS, ids=lambda n: n.name)
def test_a_signal_while_it_trains_is_a_request(
    run: RunLayout, listen: Listen, number: signal.Signals
) -> None:
    listener = listen()
    listener.process.send_signal(number)
    wait_for(run.drain.exists)
    assert json.loads(run.drain.read_text())["reason"] == number.name
    assert listener.local.exists()
    listener.process.send_signal(signal.SIGTERM)
    listener.process.send_signal(signal.SIGUSR2)
    (run.directory / "end").touch()
    said = listener.line().split()
    assert said[:2] == ["True", number.name]
    assert json.loads(run.drain.read_text())["reason"] == number.name
    assert listener.line() == "after"
    assert not listener.local.parent.exists()


@pytest.mark.parametrize("number", DRAIN_SIGNALS, ids=lambda n: n.name)
def test_a_signal_while_there_is_nothing_to_save_ends_it(
    run: RunLayout, listen: Listen, number: signal.Signals
) -> None:
    listener = listen("evaluation")
    listener.process.send_signal(number)
    assert listener.line() == f"Interrupted stopped by {number.name}"
    assert listener.line() == f"False {number.name}"
    assert not run.drain.exists()


@pytest.mark.parametrize("what", ["training", "evaluation"])
@pytest.mark.parametrize("number", [*DRAIN_SIGNALS, signal.SIGINT], ids=lambda n: n.name)
def test_cancelling_ends_it_whatever_it_does(
    run: RunLayout, listen: Listen, number: signal.Signals, what: str
) -> None:
    listener = listen(what)
    if number != signal.SIGINT:
        run.cancelled("7").touch()
    listener.process.send_signal(number)
    assert listener.line() == f"Cancelled stopped by {number.name}"
    assert not run.drain.exists()


def test_that_another_job_was_cancelled_means_nothing(run: RunLayout, listen: Listen) -> None:
    run.cancelled("8").touch()
    listen().process.send_signal(signal.SIGTERM)
    wait_for(run.drain.exists)


@pytest.mark.parametrize("what", ["training", "evaluation"])
def test_nothing_breaks_off_the_ending(run: RunLayout, listen: Listen, what: str) -> None:
    listener = listen(what)
    if what == "training":
        (run.directory / "end").touch()
    else:
        listener.process.send_signal(signal.SIGTERM)
    assert "after" in [listener.line() for _ in range(2 if what == "training" else 3)]
    for number in (*DRAIN_SIGNALS, signal.SIGINT):
        listener.process.send_signal(number)
    listener.process.communicate(timeout=20)
    assert listener.process.returncode == 0


def test_a_run_that_cannot_be_written_is_still_asked(run: RunLayout, listen: Listen) -> None:
    """As on a full disk: the file of the node is enough."""
    listener = listen()
    run.directory.rename(run.directory.with_name("gone"))
    listener.process.send_signal(signal.SIGTERM)
    wait_for(listener.local.exists)
    assert listener.process.poll() is None


def test_the_first_reason_stays(run: RunLayout) -> None:
    ask(run, "time limit")
    ask(run, "SIGTERM")
    found = json.loads(run.drain.read_text())
    assert found["reason"] == "time limit"
    assert found["at"].endswith("Z")


def test_a_request_of_a_person_stays(run: RunLayout) -> None:
    run.drain.touch()
    ask(run, "SIGTERM")
    assert run.drain.read_text() == ""


LOGS_SIGCONT = """
import logging, os, signal, sys
from pathlib import Path
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.worker.signals import Cancelled, listening

class Slow(logging.Handler):
    def emit(self, record):
        try:
            os.kill(os.getpid(), signal.SIGTERM)  # comes while the line is written
            for _ in range(1000): pass
        except Exception:
            self.handleError(record)  # as every handler of logging does

# as submitit's, which is there before
log = logging.getLogger("theirs")
log.addHandler(Slow())
signal.signal(signal.SIGCONT, lambda *_: log.warning("Bypassing signal SIGCONT"))
layout = RunLayout(Path(sys.argv[1]))
layout.cancelled("7").touch()
try:
    with listening(layout, "7", "7.1"):
        os.kill(os.getpid(), signal.SIGCONT)
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass
    print("went on")
except Cancelled as error:
    print(error.message)
"""


def test_what_logs_the_signal_before_does_not_swallow_the_end(run: RunLayout) -> None:
    """scancel sends SIGCONT and SIGTERM at once."""
    program = [sys.executable, "-c", LOGS_SIGCONT, str(run.directory)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("stopped by SIGTERM\n", "")
