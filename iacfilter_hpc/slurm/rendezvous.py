"""Rendezvous: where a job's processes meet, the head node's address and a free port of it.

A program of the batch script, which Slurm starts on the first node of the job, so that the port is
tried on the node that will listen on it.
"""

from __future__ import annotations

import os
import re
import socket

from iacfilter_hpc.slurm.client import call, garbled
from iacfilter_hpc.slurm.retry import retry_while_away

"""By which the batch script hands HOST:PORT to the workers of all nodes."""


def main() -> None:
    """Print HOST:PORT."""
    print(f"{head_address(os.environ['SLURM_JOB_NODELIST'])}:{free_port()}")  # noqa: T201


def head_address(nodelist: str) -> str:
    """The address by which Slurm itself reaches the first node of a list such as `gpu[01-04]`.

    NodeAddr, not the node's name: names need not resolve, NodeAddr must.
    Source: https://slurm.schedmd.com/slurm.conf.html#OPT_NodeAddr

    Raises:
        SlurmError: scontrol says no, gets no answer for long, is missing, or lists no node.
    """
    # asks nobody: scontrol expands the list itself, so that there is nothing to retry
    hostnames = call(["scontrol", "show", "hostnames", nodelist])
    if not hostnames.strip():
        raise garbled("scontrol", hostnames)
    head = hostnames.split()[0]
    # a controller that is away for a moment must not end the job before it has begun
    described = retry_while_away(lambda: call(["scontrol", "--oneliner", "show", "node", head]))
    match = re.search(r"\bNodeAddr=(\S+)", described)
    return match[1] if match else head


def free_port() -> int:
    """A TCP port that nothing on this machine listens on now.

    Not a fixed one, such as accelerate's 29500: two jobs may share a node.
    """
    with socket.socket() as probe:
        # it is free again on return and may be taken before training listens: rare, since the
        # kernel draws from thousands of ports
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
