"""iacfilter_hpc.slurm.queue: what squeue and sacct say, and what they cannot break."""

from __future__ import annotations

import pytest

from iacfilter_hpc.errors import SlurmGarbled, SlurmMissing, SlurmRefused, SlurmUnreachable
from iacfilter_hpc.runs.states import ENDED, JobState
from iacfilter_hpc.slurm import queue
from iacfilter_hpc.slurm.queue import QueueEntry
from tests.fake_slurm import SEPARATOR, FakeSlurm


def test_every_column_has_its_place(fake_slurm: FakeSlurm) -> None:
    fake_slurm.queue(
        ("7", "mine", "RUNNING", "None", "1:02", "3:04", "gpu[1-2]", "2026-01-02T03:04:05"),
        ("8", "other", "PENDING", "Priority", "0:00", "UNLIMITED", "", "N/A"),
    )
    assert queue.queued() == {
        "7": QueueEntry(
            job_id="7",
            name="mine",
            state=JobState.RUNNING,
            elapsed="1:02",
            left="3:04",
            nodes="gpu[1-2]",
            start="2026-01-02T03:04:05",
        ),
        "8": QueueEntry(
            job_id="8", name="other", state=JobState.PENDING, reason="Priority", elapsed="0:00"
        ),
    }
    assert "--me" in fake_slurm.arguments("squeue")
    assert "--states=all" in fake_slurm.arguments("squeue")


@pytest.mark.parametrize("left", ["UNLIMITED", "NOT_SET", "INVALID"])
def test_a_time_left_that_is_no_time_is_empty(fake_slurm: FakeSlurm, left: str) -> None:
    fake_slurm.queue(("7", "mine", "RUNNING", "None", "1:02", left))
    assert queue.queued()["7"].left == ""


@pytest.mark.parametrize(
    "other", [b"two\nlines", b"Latin-1 \xe9", b"a|b", b"  ", b"\xe2\x80\xa8", b"$(id)"]
)
def test_the_name_of_another_job_hides_none_of_ours(fake_slurm: FakeSlurm, other: bytes) -> None:
    separator = SEPARATOR.encode()
    lines = [
        separator.join([job_id, name, b"RUNNING", *[b"x"] * 5, b""])
        for job_id, name in ((b"1", other), (b"7", b"mine"), (b"8", other))
    ]
    fake_slurm.says("squeue", stdout=b"\n".join(lines) + b"\n")
    assert queue.queued()["7"].name == "mine"


@pytest.mark.parametrize("stdout", ["", "\n"])
def test_no_lines_are_no_jobs(fake_slurm: FakeSlurm, stdout: str) -> None:
    fake_slurm.says("squeue", stdout=stdout)
    assert queue.queued() == {}


WHOLE = SEPARATOR.join(["7", "mine", "RUNNING", *["x"] * 5, ""])


@pytest.mark.parametrize(
    "stdout", ["no separator\n", SEPARATOR * 3 + "\n", f"{WHOLE}\n{WHOLE[:9]}", WHOLE]
)
def test_an_answer_that_is_no_table_is_no_answer(fake_slurm: FakeSlurm, stdout: str) -> None:
    """An empty answer would mean that no job is alive."""
    fake_slurm.says("squeue", stdout=stdout)
    with pytest.raises(SlurmGarbled, match="squeue gave an answer that cannot be read: "):
        queue.queued()


def test_a_line_that_is_no_job_hides_none(fake_slurm: FakeSlurm) -> None:
    fake_slurm.says("squeue", stdout=f"Welcome to the cluster\n{WHOLE}\n")
    assert list(queue.queued()) == ["7"]


def test_a_state_of_another_slurm_is_unknown_and_told(fake_slurm: FakeSlurm) -> None:
    fake_slurm.queue(("7", "mine", "DREAMING", "None"), ("8", "mine", "DREAMING", "Night"))
    fake_slurm.accounts("9|mine|DREAMING|1:00|gpu1|0:0")
    found = {**queue.queued(), **queue.accounted(["9"])}
    assert [entry.state for entry in found.values()] == [JobState.UNKNOWN] * 3
    assert [entry.reason for entry in found.values()] == [
        "Slurm says DREAMING",
        "Slurm says DREAMING: Night",
        "Slurm says DREAMING",
    ]


def test_a_controller_that_does_not_answer_is_named(fake_slurm: FakeSlurm) -> None:
    fake_slurm.says("squeue", stderr="slurm_load_jobs error:\n Unable to contact\n", code=1)
    with pytest.raises(SlurmUnreachable, match="squeue failed: slurm_load_jobs error: Unable to c"):
        queue.queued()
    fake_slurm.says("squeue", code=3)
    with pytest.raises(SlurmRefused, match="squeue failed: exit code 3"):
        queue.queued()


def test_without_squeue_it_is_named(no_slurm: None) -> None:
    with pytest.raises(SlurmMissing, match="squeue is not on PATH"):
        queue.queued()


def test_sacct_tells_the_end(fake_slurm: FakeSlurm) -> None:
    fake_slurm.accounts(
        "7|mine|COMPLETED|01:02:03|gpu1|0:0",
        "8|a|b|CANCELLED by 1000|00:00:00|None assigned|0:15",
        "9|two",
        "lines|FAILED|00:00:01|gpu1|1:0",
        "",
    )
    found = queue.accounted(["7", "8", "9"])
    assert found == {
        "7": QueueEntry(
            job_id="7", name="mine", state=JobState.COMPLETED, elapsed="01:02:03", nodes="gpu1"
        ),
        "8": QueueEntry(
            job_id="8", name="a|b", state=JobState.CANCELLED, reason="exit 0:15", elapsed="00:00:00"
        ),
    }
    assert "--jobs=7,8,9" in fake_slurm.arguments("sacct")


def test_sacct_is_not_asked_about_nothing(fake_slurm: FakeSlurm) -> None:
    assert queue.accounted([]) == {}
    assert fake_slurm.calls("sacct") == 0


def test_without_accounting_nothing_is_known(fake_slurm: FakeSlurm) -> None:
    fake_slurm.says("sacct", stderr="Slurm accounting storage is disabled\n", code=1)
    assert queue.accounted(["7"]) == {}


@pytest.mark.parametrize("stdout", ["Welcome\n", "7|mine|COMPL", "7|mine|COMPLETED|1:00|gpu1|0:0"])
def test_an_answer_of_sacct_that_is_no_table_tells_nothing(
    fake_slurm: FakeSlurm, stdout: str
) -> None:
    fake_slurm.says("sacct", stdout=stdout)
    assert queue.accounted(["7"]) == {}


def test_without_sacct_nothing_is_known(no_slurm: None) -> None:
    assert queue.accounted(["7"]) == {}


def test_cancel_names_the_job_beside_its_id(fake_slurm: FakeSlurm) -> None:
    queue.cancel(["7", "8"], "mine")
    assert fake_slurm.arguments("scancel") == ["--name=mine", "7", "8"]
    fake_slurm.says("scancel", stderr="scancel: error: Access denied\n", code=1)
    with pytest.raises(SlurmRefused, match=r"scancel failed: .*Access denied"):
        queue.cancel(["7"], "mine")


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"])
def test_live_states_have_not_ended(state: str) -> None:
    assert not QueueEntry(job_id="7", name="x", state=JobState(state)).ended


@pytest.mark.parametrize("state", sorted(ENDED))
def test_ended_states_have(state: JobState) -> None:
    assert QueueEntry(job_id="7", name="x", state=state).ended
