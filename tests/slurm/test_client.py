"""iacfilter_hpc.slurm.client: no, away, garbage and missing are told apart."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from iacfilter_hpc.errors import (
    SlurmError,
    SlurmMissing,
    SlurmRefused,
    SlurmUnanswered,
    SlurmUnreachable,
)
from iacfilter_hpc.slurm import client
from iacfilter_hpc.slurm.client import call, failure, garbled
from tests.fake_slurm import FakeSlurm

# as Slurm 22.05 prints it, by each of its programs
SAID = [
    ("slurm_load_jobs error: Invalid job id specified", SlurmRefused),
    ("Invalid job id specified for job 1", SlurmRefused),
    ("scancel: error: Kill job error on job id 1: Access/permission denied", SlurmRefused),
    ("sbatch: error: Batch job submission failed: Invalid account or account/partition "
     "combination specified", SlurmRefused),
    ("sbatch: unrecognized option '--nonsense'\nTry \"sbatch --help\" for more information",
     SlurmRefused),
    ("Requested operation is presently disabled for job 7", SlurmRefused),
    ("Slurm accounting storage is disabled", SlurmRefused),
    ("sbatch: error: invalid partition specified: communication", SlurmRefused),
    ("", SlurmRefused),
    ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
     SlurmUnreachable),
    ("slurm_load_jobs error: Slurm backup controller in standby mode", SlurmUnreachable),
    ("squeue: error: s_p_parse_file: cannot stat file /nope: No such file or directory, retrying "
     "in 1sec up to 60sec\nsqueue: error: ClusterName needs to be specified\nsqueue: fatal: Unable "
     "to process configuration file", SlurmUnreachable),
    ("squeue: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\nsqueue: error: "
     "fetch_config: DNS SRV lookup failed\nsqueue: error: _establish_config_source: failed to "
     "fetch config\nsqueue: fatal: Could not establish a configuration source", SlurmUnreachable),
    ("sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection to "
     "host:localhost:6819: Connection refused\nsacct: error: Problem talking to the database: "
     "Connection refused", SlurmUnreachable),
    ("sbatch: error: Munge encode failed: Failed to access \"/run/munge/munge.socket.2\": No such "
     "file or directory\nsbatch: error: Batch job submission failed: Protocol authentication error",
     SlurmUnreachable),
    ("Job can not be altered now, try again later", SlurmUnreachable),
    ("sbatch: error: Batch job submission failed: Resource temporarily unavailable",
     SlurmUnreachable),
    ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
     SlurmUnanswered),
    ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (receive "
     "failure)", SlurmUnanswered),
    ("slurm_load_jobs error: Zero Bytes were transmitted or received", SlurmUnanswered),
    ("Unexpected message received for job 1", SlurmUnanswered),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kind"), SAID)
def test_what_a_program_says_tells_no_from_away(said: str, kind: type[SlurmError]) -> None:
    found = failure("squeue", 1, said)
    assert type(found) is kind
    assert found.exit_code == (1 if kind is SlurmRefused else 3)
    assert found.message == f"squeue failed: {' '.join(said.split()) or 'exit code 1'}"


def test_one_that_is_killed_may_have_sent_its_request(fake_slurm: FakeSlurm) -> None:
    (fake_slurm.bin / "scontrol").write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(SlurmUnanswered, match="scontrol failed: exit code -9"):
        call(["scontrol", "requeue", "7"])


def test_what_it_prints_is_the_answer(fake_slurm: FakeSlurm) -> None:
    fake_slurm.says("squeue", stdout=b"Latin-1 \xe9\n", stderr="a warning\n")
    assert call(["squeue"]) == "Latin-1 �\n"


def test_one_that_is_not_there_is_missing(no_slurm: None) -> None:
    with pytest.raises(SlurmMissing, match="squeue is not on PATH") as caught:
        call(["squeue"])
    assert caught.value.exit_code == 3


def test_one_that_cannot_be_started_is_missing(fake_slurm: FakeSlurm, no_slurm: None) -> None:
    (fake_slurm.bin / "squeue").chmod(0o644)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SlurmMissing, match="not on PATH"):
        patch.setenv("PATH", str(fake_slurm.bin))
        call(["squeue"])


def test_one_that_hangs_is_given_up(fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_S", 0.2)
    (fake_slurm.bin / "squeue").write_text("#!/bin/sh\nexec sleep 60\n")
    started = time.monotonic()
    with pytest.raises(SlurmUnanswered, match=r"squeue gave no answer in 0\.2 s"):
        call(["squeue"])
    assert time.monotonic() - started < 10


def test_an_answer_that_cannot_be_read_is_shown() -> None:
    error = garbled("squeue", "Welcome to\nthe cluster" + "!" * 200)
    assert error.exit_code == 1
    assert error.message.startswith("squeue gave an answer that cannot be read: 'Welcome to the c")
    assert len(error.message) < 120


@pytest.mark.skipif(shutil.which("scontrol") is None, reason="Slurm is not installed")
def test_the_words_of_slurm_itself_without_a_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text("ClusterName=x\nSlurmctldHost=localhost\nSlurmctldPort=1\nNodeName=localhost\n")
    monkeypatch.setenv("SLURM_CONF", str(conf))
    for argv in (
        ["squeue", "--me"],
        ["sbatch", "--parsable", "--wrap=true"],
        ["scancel", "1"],
        ["scontrol", "show", "job", "1"],
        ["scontrol", "requeue", "1"],
    ):
        with pytest.raises(SlurmUnreachable):
            call(argv)
