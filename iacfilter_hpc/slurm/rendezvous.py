"""Print where a job's processes meet: the head node's address and a free port of it.

Run by the batch script, which Slurm starts on the first node of the job, so that the port is
tried on the node that will listen on it.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess

from iacfilter_hpc.errors import SlurmUnreachable
from iacfilter_hpc.slurm.client import patiently

VARIABLE = "IACFILTER_RENDEZVOUS"


def main() -> None:
    """Print HOST:PORT."""
    print(f"{head_address(os.environ['SLURM_JOB_NODELIST'])}:{free_port()}")  # noqa: T201


def head_address(nodelist: str) -> str:
    """The address by which Slurm itself reaches the first node of a list such as `gpu[01-04]`.

    NodeAddr, not the node's name: names need not resolve, NodeAddr must.
    Source: https://slurm.schedmd.com/slurm.conf.html#OPT_NodeAddr
    """
    head = _scontrol("show", "hostnames", nodelist).split()[0]
    # a controller that is away for a moment must not end the job before it has begun
    described = patiently(lambda: _scontrol("--oneliner", "show", "node", head))
    match = re.search(r"\bNodeAddr=(\S+)", described)
    return match[1] if match else head


def free_port() -> int:
    """A TCP port that nothing on this machine listens on now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def _scontrol(*arguments: str) -> str:
    done = subprocess.run(["scontrol", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SlurmUnreachable(f"scontrol {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
