"""Start and stop the daemons of a test cluster through its keeper process."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

KEEPER = Path(__file__).with_name("keeper.py")
POLL_SECONDS = 0.05


class ClusterError(RuntimeError):
    """The test cluster did not do what it was told."""


def wait_until(done: Callable[[], bool], what: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not after {timeout:g} s")
        time.sleep(POLL_SECONDS)


class Daemon:
    """One running daemon, held by a process descriptor: its id cannot be mistaken for another's."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def running(self) -> bool:
        return not self._ended(0)

    def terminate(self, timeout: float = 10) -> None:
        """Ask it to end, so that it saves its state; insist after the timeout."""
        self._send(signal.SIGTERM)
        if not self._ended(timeout):
            self.kill()

    def kill(self) -> None:
        self._send(signal.SIGKILL)
        if not self._ended(10):
            raise ClusterError(f"process {self.pid} survives SIGKILL")

    def close(self) -> None:
        os.close(self._descriptor)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it ended by itself
            signal.pidfd_send_signal(self._descriptor, number)

    def _ended(self, timeout: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(timeout * 1000))


class Keeper:
    """The process that all daemons are children of; see keeper.py."""

    def __init__(self, nodes: Sequence[str], logs: Path) -> None:
        self._logs = logs
        self._daemons: dict[str, Daemon] = {}
        with (logs / "keeper.out").open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(KEEPER), *nodes],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C is for pytest, which then closes the pipe
            )

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> Daemon:
        if self.running(name):
            raise ClusterError(f"{name} is running already")
        self._forget(name)
        request = {"argv": argv, "env": dict(env), "log": str(self._logs / f"{name}.out")}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise ClusterError(f"the keeper is gone; see {self._logs / 'keeper.out'}")
        self._daemons[name] = Daemon(int(answer))
        return self._daemons[name]

    def running(self, name: str) -> bool:
        return name in self._daemons and self._daemons[name].running()

    def terminate(self, name: str) -> None:
        self._daemons[name].terminate()
        self._forget(name)

    def kill(self, name: str) -> None:
        self._daemons[name].kill()
        self._forget(name)

    def check(self) -> None:
        """Name the daemons that ended by themselves, with the end of what they said."""
        dead = [name for name, daemon in self._daemons.items() if not daemon.running()]
        if dead:
            raise ClusterError("\n".join(f"{name} ended:\n{self.tail(name)}" for name in dead))

    def tail(self, name: str, lines: int = 15) -> str:
        text = (self._logs / f"{name}.out").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def close(self) -> None:
        """End every process of the cluster; closing the pipe is what the keeper waits for."""
        for name in list(self._daemons):
            self._forget(name)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            code = self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise ClusterError("the keeper could not end the cluster's processes") from None
        if code:
            raise ClusterError((self._logs / "keeper.out").read_text(errors="replace"))

    def _forget(self, name: str) -> None:
        if name in self._daemons:
            self._daemons.pop(name).close()
