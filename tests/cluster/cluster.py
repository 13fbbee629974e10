"""A private Slurm cluster on this machine: its own munge, MariaDB, slurmdbd, slurmctld, slurmds."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.daemons import POLL_SECONDS, ClusterError, Keeper, wait_until
from tests.cluster.programs import DATABASE_OPTIONS, SEARCH_PATH, create_database, program
from tests.cluster.settings import CLUSTER_NAME, Proctrack, Settings

TERMINAL = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE"),
    *("FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"),
}


class Cluster:
    """Runs from __enter__ to __exit__; when its owner dies, every process of it dies too."""

    def __init__(
        self,
        root: Path,
        proctrack: Proctrack,
        nodes: int = 4,
        gpus_per_node: int = 2,
        *,
        database: Path | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        """Database is a folder from create_database; overrides replace lines of slurm.conf."""
        self.root = root
        self.proctrack = proctrack
        self.settings = Settings(root, proctrack, nodes, gpus_per_node, overrides or {})
        self.nodes = self.settings.nodes
        self.conf = self.settings.slurm_conf
        self.env = {"SLURM_CONF": str(self.conf)}
        self._database = database

    def __enter__(self) -> Self:
        self.settings.write()
        self._keeper = Keeper(self.nodes, self.settings.logs)
        try:
            self._start()
        except BaseException:
            self._keeper.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill rather than ask: all state is thrown away."""
        self._keeper.close()

    def run(
        self, *argv: str, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a Slurm client command against this cluster."""
        done = subprocess.run(
            argv, env=os.environ | self.env, capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode:
            raise ClusterError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def wait_ready(self, timeout: float = 30) -> None:
        """Until the controller, accounting and every node answer."""
        self._wait(self._accounting_answers, "slurmdbd", timeout)
        self._wait(self._nodes_answer, "idle nodes", timeout)

    def job_state(self, job_id: int | str) -> str | None:
        """The controller's word for it; None once it has forgotten the job."""
        done = self.run("squeue", "-h", "-t", "all", "-o", "%T", "-j", str(job_id), check=False)
        if done.returncode and "Invalid job id" not in done.stderr:
            raise ClusterError(done.stderr.strip())
        return done.stdout.split()[0] if done.stdout.strip() else None

    def wait_for(self, job_id: int | str, states: Collection[str], timeout: float = 30) -> str:
        """Wait for one of the states, or raise; also when the job is forgotten or over."""
        wanted = {states} if isinstance(states, str) else set(states)
        deadline = time.monotonic() + timeout
        while (state := self.job_state(job_id)) not in wanted:
            if state is None or state in TERMINAL or time.monotonic() > deadline:
                raise ClusterError(f"job {job_id} is {state}, not {' or '.join(sorted(wanted))}")
            time.sleep(POLL_SECONDS)
        return state

    def cancel_all(self, timeout: float = 30) -> None:
        """Leave no job for the next test."""
        self.run("scancel", "--user=root")
        self._wait(lambda: not self.run("squeue", "-h").stdout.strip(), "an empty queue", timeout)

    def log_tails(self) -> list[tuple[str, str]]:
        """Name and last lines of each daemon's output."""
        names = sorted(path.stem for path in self.settings.logs.glob("*.out"))
        return [(name, self._keeper.tail(name)) for name in names]

    def start_controller(self) -> None:
        self._start_daemon("slurmctld", "-D", "-f", str(self.conf))
        self._wait(self._controller_answers, "slurmctld", 30)

    def stop_controller(self) -> None:
        self._keeper.terminate("slurmctld")

    def start_accounting(self) -> None:
        self._start_daemon("slurmdbd", "-D", MYSQL_UNIX_PORT=str(self.settings.database_socket))
        self._wait(self._accounting_answers, "slurmdbd", 30)

    def stop_accounting(self) -> None:
        self._keeper.terminate("slurmdbd")

    def start_slurmd(self, node: str) -> None:
        self._keeper.start(
            node, [program("slurmd"), "-D", "-N", node, "-f", str(self.conf)], self._environ()
        )

    def kill_slurmd(self, node: str) -> None:
        """Like a crash: the running steps stay."""
        self._keeper.kill(node)

    def _start(self) -> None:
        self._start_munge()
        self._start_database()
        self.start_accounting()
        self.run("sacctmgr", "-i", "add", "cluster", CLUSTER_NAME)
        self.run("sacctmgr", "-i", "add", "account", "test", f"Cluster={CLUSTER_NAME}")
        self.run("sacctmgr", "-i", "add", "user", "root", "Account=test", "DefaultAccount=test")
        self.start_controller()
        for node in self.nodes:
            self.start_slurmd(node)
        self.wait_ready()

    def _start_munge(self) -> None:
        folder = self.settings.munge_socket.parent
        self._start_daemon(
            "munged",
            "--foreground",
            "--force",  # it minds that root runs it
            f"--socket={self.settings.munge_socket}",
            f"--key-file={self.settings.munge_key}",
            f"--pid-file={folder}/pid",
            f"--log-file={folder}/log",
            f"--seed-file={folder}/seed",
            "--num-threads=4",
        )
        self._wait(self.settings.munge_socket.exists, "munged", 10)

    def _start_database(self) -> None:
        folder = self.root / "db"
        if self._database:
            shutil.copytree(self._database, folder)
        else:
            create_database(folder)
        self._start_daemon(
            "mariadbd",
            "--no-defaults",
            f"--datadir={folder}",
            f"--socket={self.settings.database_socket}",
            f"--pid-file={self.root}/db.pid",
            *DATABASE_OPTIONS,
        )
        self._wait(self.settings.database_socket.exists, "mariadbd", 30)

    def _start_daemon(self, name: str, *options: str, **env: str) -> None:
        self._keeper.start(name, [program(name), *options], self._environ() | env)

    def _environ(self) -> dict[str, str]:
        return {"PATH": SEARCH_PATH, "HOME": "/root", "LANG": "C", **self.env}

    def _wait(self, done: Callable[[], bool], what: str, timeout: float) -> None:
        """A daemon that has died is named at once, not waited for."""

        def checked() -> bool:
            self._keeper.check()
            return done()

        wait_until(checked, what, timeout)

    def _controller_answers(self) -> bool:
        """Look before asking: a client that is refused waits long before it tries again."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.settings.ports[0])):
                return False
        return self.run("scontrol", "ping", check=False).returncode == 0

    def _accounting_answers(self) -> bool:
        return self.run("sacctmgr", "-n", "list", "cluster", check=False).returncode == 0

    def _nodes_answer(self) -> bool:
        states = self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%T", check=False).stdout.split()
        return len(states) == len(self.nodes) and set(states) == {"idle"}
