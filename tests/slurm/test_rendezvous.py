"""iacfilter_hpc.slurm.rendezvous: the head node's address and a free port of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from iacfilter_hpc.errors import SlurmGarbled, SlurmRefused
from iacfilter_hpc.slurm import rendezvous
from tests.fake_slurm import FakeSlurm

SCONTROL = """\
#!/bin/sh
[ "$1 $2 $3" = "show hostnames gpu[01-02]" ] && printf 'gpu01\\ngpu02\\n' && exit
[ "$*" = "--oneliner show node gpu01" ] && cat "${0%/*}/../node" && exit
echo "Invalid node name specified" >&2
exit 1
"""


@pytest.fixture
def node(fake_slurm: FakeSlurm) -> Path:
    """What scontrol says of the first node."""
    (fake_slurm.bin / "scontrol").write_text(SCONTROL)
    return fake_slurm.home / "node"


@pytest.mark.parametrize(
    ("described", "address"),
    [
        ("NodeName=gpu01 NodeAddr=10.0.0.7 NodeHostName=other Version=22.05", "10.0.0.7"),
        ("NodeName=gpu01 NodeAddr=gpu01-ib NodeHostName=gpu01", "gpu01-ib"),
        ("NodeName=gpu01 Comment=NoNodeAddr=x State=IDLE", "gpu01"),
        ("", "gpu01"),
    ],
)
def test_the_address_is_that_of_the_first_node(node: Path, described: str, address: str) -> None:
    node.write_text(described)
    assert rendezvous.head_address("gpu[01-02]") == address


def test_it_prints_host_and_port(
    node: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node.write_text("NodeAddr=10.0.0.7 ")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "gpu[01-02]")
    rendezvous.main()
    host, _, port = capsys.readouterr().out.strip().rpartition(":")
    assert host == "10.0.0.7"
    assert 1024 <= int(port) < 65536


def test_the_port_is_free() -> None:
    with socket.socket() as listener:
        listener.bind(("", rendezvous.free_port()))
        listener.listen()


def test_what_scontrol_says_is_passed_on(node: Path) -> None:
    with pytest.raises(SlurmRefused, match="scontrol failed: Invalid node name"):
        rendezvous.head_address("x")


def test_a_list_of_no_nodes_is_no_answer(fake_slurm: FakeSlurm) -> None:
    with pytest.raises(SlurmGarbled, match="scontrol gave an answer that cannot be read"):
        rendezvous.head_address("gpu[01-02]")
