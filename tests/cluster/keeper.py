"""The parent of every process of a test cluster: when its input closes, all of them die.

Run as a script with the cluster's node names as arguments. Reads one JSON command a line,
starts that daemon and answers with its process id. It is a child subreaper, so it inherits what
the daemons orphan (slurmstepd and the jobs' own children) and none can outlive it. It uses only
the standard library and imports nothing of the tests: the interpreter runs it isolated.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CGROUPS = Path("/sys/fs/cgroup")
SETPRIV = "/usr/bin/setpriv"


def reap(signum: int, frame: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def start(argv: list[str], env: dict[str, str], log: str) -> int:
    """The daemon also dies when this process is killed outright."""
    return os.posix_spawn(
        SETPRIV,
        [SETPRIV, "--pdeathsig", "KILL", "--", *argv],
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )


def serve() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        print(start(command["argv"], command["env"], command["log"]), flush=True)


def processes() -> Iterator[tuple[int, int]]:
    """Each process with its parent."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        yield int(folder.name), int(text.rpartition(")")[2].split()[1])


def descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def cgroup_folders(nodes: list[str]) -> Iterator[Path]:
    """The folders slurmd made for these nodes, the innermost first."""
    for node in nodes:
        for top in CGROUPS.glob(f"*/slurm_{node}"):
            for folder, _, _ in os.walk(top, topdown=False):
                yield Path(folder)


def kill_everything(nodes: list[str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        for pid in descendants():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        thaw(nodes)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def thaw(nodes: list[str]) -> None:
    """A frozen process takes no signal: slurmstepd may have died between freezing and thawing."""
    for folder in cgroup_folders(nodes):
        state = folder / "freezer.state"
        if state.exists():
            state.write_text("THAWED")


def remove_cgroups(nodes: list[str]) -> None:
    for folder in cgroup_folders(nodes):
        folder.rmdir()


def end(nodes: list[str], signum: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    kill_everything(nodes)
    remove_cgroups(nodes)
    os._exit(0)


def main(nodes: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((PR_SET_CHILD_SUBREAPER, 1), (PR_SET_PDEATHSIG, signal.SIGTERM)):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl({option})")
    signal.signal(signal.SIGCHLD, reap)
    signal.signal(signal.SIGTERM, partial(end, nodes))
    try:
        serve()
    finally:  # The owner's death closes the pipe and sends SIGTERM, in any order: one way out.
        signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
