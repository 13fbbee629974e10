"""Where the parts of a test cluster live, and the configuration files they read."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Proctrack = Literal["cgroup", "linuxproc"]
CLUSTER_NAME = "test"

# What the nodes pretend to have: a laptop has fewer cores than the jobs under test ask for.
NODE_CPUS = 8
NODE_MEMORY_MB = 16000


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; all are held until the last is chosen, so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


@dataclass(frozen=True)
class Settings:
    """One cluster's shape and paths. Sockets live under root, so root must be a short path."""

    root: Path
    proctrack: Proctrack
    node_count: int
    gpus_per_node: int
    extra: Mapping[str, str]  # slurm.conf parameters that replace the ones below
    ports: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ports", free_ports(self.node_count + 2))

    @property
    def nodes(self) -> list[str]:
        """Two clusters on one machine must differ here: slurmd names its cgroups by node."""
        return [f"c{self.ports[0]}n{index}" for index in range(1, self.node_count + 1)]

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def munge_socket(self) -> Path:
        return self.root / "munge" / "socket"

    @property
    def munge_key(self) -> Path:
        return self.root / "munge" / "key"

    @property
    def database_socket(self) -> Path:
        return self.root / "db.sock"

    @property
    def slurm_conf(self) -> Path:
        return self.root / "slurm.conf"

    @property
    def slurmdbd_conf(self) -> Path:
        return self.root / "slurmdbd.conf"

    def write(self) -> None:
        spools = [f"spool/{node}" for node in self.nodes]
        for folder in ("log", "munge", "state", "gpu", *spools):
            (self.root / folder).mkdir(parents=True)
        self.root.chmod(0o755)  # munged wants to see a way to its socket for every user
        self.munge_key.touch(0o600)
        self.munge_key.write_bytes(os.urandom(128))
        for index in range(self.gpus_per_node):
            # Slurm wants a device and takes the digit for its index; nobody opens it.
            (self.root / "gpu" / f"gpu{index}").symlink_to(os.devnull)
        self.slurmdbd_conf.touch(0o600)  # slurmdbd refuses a readable one
        self.slurmdbd_conf.write_text(lines(self._slurmdbd()))
        self.slurm_conf.write_text(lines({**self._slurm(), **self.extra}) + self._nodes())
        (self.root / "gres.conf").write_text(self._gres())
        (self.root / "cgroup.conf").write_text(lines(CGROUP))

    def _slurmdbd(self) -> dict[str, str]:
        return {
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={self.munge_socket}",
            "DbdHost": "localhost",
            "DbdPort": str(self.ports[1]),
            "SlurmUser": "root",
            "StorageType": "accounting_storage/mysql",
            "StorageHost": "localhost",
            "StorageUser": "root",
            "StorageLoc": "slurm",
            "PidFile": f"{self.root}/slurmdbd.pid",
            "CommitDelay": "1",
        }

    def _slurm(self) -> dict[str, str]:
        return {
            "ClusterName": CLUSTER_NAME,
            "SlurmctldHost": f"{hostname()}(127.0.0.1)",
            "SlurmctldPort": str(self.ports[0]),
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "StateSaveLocation": f"{self.root}/state",
            "SlurmdSpoolDir": f"{self.root}/spool/%n",
            "SlurmctldPidFile": f"{self.root}/slurmctld.pid",
            "SlurmdPidFile": f"{self.root}/%n.pid",
            "SlurmdLogFile": f"{self.logs}/%n.log",  # without it slurmstepd says nothing
            "AuthType": "auth/munge",
            # A requeued job waits this long (121 s by default) until its old credential is void.
            "AuthInfo": f"socket={self.munge_socket},cred_expire=5",
            "AccountingStorageType": "accounting_storage/slurmdbd",
            "AccountingStorageHost": "localhost",
            "AccountingStoragePort": str(self.ports[1]),
            "AccountingStoragePass": str(self.munge_socket),
            "AccountingStorageTRES": "gres/gpu",
            "AccountingStoreFlags": "job_comment",
            "JobAcctGatherType": "jobacct_gather/linux",
            "JobAcctGatherFrequency": "5",
            "ProctrackType": f"proctrack/{self.proctrack}",
            "TaskPlugin": "task/none",
            "MpiDefault": "none",
            "MailProg": "/bin/true",
            "ReturnToService": "2",
            "SlurmdParameters": "config_overrides",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core",
            "GresTypes": "gpu",
            "PreemptType": "preempt/partition_prio",
            "PreemptMode": "REQUEUE",
            "SchedulerType": "sched/backfill",
            "SchedulerParameters": "batch_sched_delay=0,bf_interval=1,sched_interval=1",
            "KillWait": "5",
            "MinJobAge": "5",
            "InactiveLimit": "0",
            "SlurmdTimeout": "30",
        }

    def _nodes(self) -> str:
        shape = f"CPUs={NODE_CPUS} CoresPerSocket={NODE_CPUS} RealMemory={NODE_MEMORY_MB}"
        gpus = f" Gres=gpu:{self.gpus_per_node}" if self.gpus_per_node else ""
        for_all = f"NodeHostname={hostname()} NodeAddr=127.0.0.1 {shape}{gpus} State=UNKNOWN"
        nodes = [
            f"NodeName={name} Port={port} {for_all}"
            for name, port in zip(self.nodes, self.ports[2:], strict=True)
        ]
        return "\n".join([*nodes, *PARTITIONS]) + "\n"

    def _gres(self) -> str:
        if not self.gpus_per_node:
            return ""
        files = f"{self.root}/gpu/gpu[0-{self.gpus_per_node - 1}]"
        return f"AutoDetect=off\nNodeName={','.join(self.nodes)} Name=gpu File={files}\n"


PARTITIONS = (
    "PartitionName=main Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=5"
    " DefaultTime=10 MaxTime=INFINITE",
    "PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF DefaultTime=10 MaxTime=INFINITE",
    "PartitionName=short Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE MaxTime=1",
)
CGROUP = {
    "CgroupPlugin": "cgroup/v1",
    "CgroupAutomount": "no",
    "CgroupMountpoint": "/sys/fs/cgroup",
    "ConstrainCores": "no",
    "ConstrainDevices": "no",
    "ConstrainRAMSpace": "no",
    "ConstrainSwapSpace": "no",
}


def hostname() -> str:
    """Slurm wants the short name."""
    return socket.gethostname().split(".")[0]


def lines(values: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())
