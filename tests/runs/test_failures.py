"""iacfilter_hpc.runs.failures: what broke an attempt, by the files and logs that it left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.runs.failures import (
    Failure,
    find_failure,
    first_error,
    memory_ran_out,
    nodes_at_fault,
)
from iacfilter_hpc.runs.layout import RunLayout


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    layout = RunLayout(tmp_path / "run")
    layout.slurm.mkdir(parents=True)
    return layout


def left(
    run: RunLayout,
    rank: int,
    message: str,
    *,
    kind: str = "exception",
    type_: str = "RuntimeError",
    step: int | None = 8,
    attempt: str = "7",
) -> None:
    """The file that a process leaves which fails."""
    fields = {"schema": 1, "attempt": attempt, "rank": rank, "node": f"gpu{rank}", "step": step}
    fields |= {"kind": kind, "type": type_, "message": message}
    run.failure(attempt, rank).write_text(json.dumps(fields))


def found(run: RunLayout, attempt: str = "7") -> Failure | None:
    return find_failure(run, attempt, run.error_log(attempt))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", None),
        ("all is well\n'error: ' is how a fault begins\n", None),
        ("error:\nerror: \n", None),
        ("loss 1\nerror: first\nerror: second\n", "first"),
        ("Traceback\n  x\ntorch.OutOfMemoryError: CUDA\n", "torch.OutOfMemoryError: CUDA"),
        ("[rank1]: ValueError: no\nerror: later\n", "ValueError: no"),
        ("\xff\0\nKeyError: 'a'", "KeyError: 'a'"),
    ],
)
def test_the_first_error_of_a_log_is_its_cause(
    tmp_path: Path, text: str, cause: str | None
) -> None:
    log = tmp_path / "log"
    log.write_bytes(text.encode("latin-1"))
    assert first_error(log) == cause


def test_a_log_that_is_not_there_says_nothing(run: RunLayout) -> None:
    assert first_error(run.error_log("7")) is None
    assert found(run) is None


@pytest.mark.parametrize(
    ("message", "type_", "cause"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "OutOfMemoryError", "memory"),
        ("[Errno 12] Cannot allocate memory", "OSError", "memory"),
        ("", "MemoryError", "memory"),
        ("CUDA error: uncorrectable ECC error encountered", "AcceleratorError", "node"),
        ("CUDA error: device kernel image is invalid", "RuntimeError", "node"),
        ("CUDA error: device-side assert triggered", "RuntimeError", "exception"),
        ("CUDA error: an illegal memory access was encountered", "RuntimeError", "exception"),
        ("GPU has fallen off the bus", "RuntimeError", "node"),
        ("no CUDA-capable device is detected", "RuntimeError", "node"),
        ("[Errno 116] Stale file handle: '/shared/a'", "OSError", "node"),
        ("[Errno 5] Input/output error", "OSError", "node"),
        ("NCCL error: unhandled system error\nncclSystemError: no", "DistBackendError", "node"),
        ("ncclRemoteError: remote process exited", "DistBackendError", "killed"),
        ("[../gloo/transport/tcp/pair.cc] Connection closed by peer", "RuntimeError", "killed"),
        ("Timed out waiting 1800000ms for recv operation", "RuntimeError", "killed"),
        ("the server socket has failed", "DistNetworkError", "killed"),
        ("list index out of range", "IndexError", "exception"),
        ("shape '[2, 3]' is invalid", "RuntimeError", "exception"),
    ],
)
def test_the_cause_of_an_exception(run: RunLayout, message: str, type_: str, cause: str) -> None:
    left(run, 0, message, type_=type_)
    failure = found(run)
    assert failure
    assert (failure.cause, failure.step, failure.node) == (cause, 8, "gpu0")
    assert failure.message.startswith(f"{type_}: ")


def test_an_error_of_ours_is_one_whatever_it_says(run: RunLayout) -> None:
    left(run, 0, "the checkpoint cannot be saved: out of memory\nmore", kind="error", step=None)
    message = "the checkpoint cannot be saved: out of memory"
    assert found(run) == Failure("error", message, None, "gpu0")


def test_an_error_of_ours_comes_before_what_other_processes_say(run: RunLayout) -> None:
    left(run, 0, "Connection closed by peer")
    left(run, 1, "list index out of range", type_="IndexError")
    left(run, 10, "no label", kind="error", step=3)
    assert found(run) == Failure("error", "no label", 3, "gpu10")


def test_a_lost_peer_is_no_cause_where_there_is_another(run: RunLayout) -> None:
    left(run, 0, "Connection closed by peer")
    left(run, 2, "CUDA out of memory", type_="OutOfMemoryError", step=5)
    assert found(run) == Failure("memory", "OutOfMemoryError: CUDA out of memory", 5, "gpu2")


def test_a_lost_peer_alone_means_that_another_was_killed(run: RunLayout) -> None:
    left(run, 1, "Connection reset by peer")
    failure = found(run)
    assert failure
    assert failure.cause == "killed"


def test_the_lowest_rank_is_heard_first(run: RunLayout) -> None:
    for rank in (10, 9, 2):
        left(run, rank, f"of rank {rank}", type_="ValueError")
    failure = found(run)
    assert failure
    assert failure.message == "ValueError: of rank 2"


def test_files_come_before_the_log(run: RunLayout) -> None:
    run.error_log("7").write_text("ValueError: of a launcher\n")
    assert found(run) == Failure("exception", "ValueError: of a launcher")
    left(run, 0, "no", type_="KeyError")
    assert found(run) == Failure("exception", "KeyError: no", 8, "gpu0")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"rank": 0}', '"kind"', '{"kind": "error", "rank": 1}']
)
def test_a_file_that_is_not_whole_is_passed_over(run: RunLayout, text: str) -> None:
    run.failure("7", 0).write_text(text)
    assert found(run) is None
    left(run, 1, "no", type_="KeyError")
    assert found(run) == Failure("exception", "KeyError: no", 8, "gpu1")


def test_each_attempt_has_failures_of_its_own(run: RunLayout) -> None:
    left(run, 0, "no", attempt="7")
    for other in ("7.1", "77", "17"):
        assert found(run, other) is None


def test_the_nodes_whose_processes_failed_of_their_node(run: RunLayout) -> None:
    left(run, 0, "Connection closed by peer")
    left(run, 1, "CUDA error: uncorrectable ECC error encountered")
    left(run, 3, "CUDA error: hardware stack error")
    assert nodes_at_fault(run, "7") == {"gpu1", "gpu3"}
    assert nodes_at_fault(run, "8") == set()


@pytest.mark.parametrize(
    ("line", "ran_out"),
    [
        ("slurmstepd-n1: error: Detected 1 oom_kill event in StepId=7.0. Some of the step", True),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in step 7.0 cgroup.", True),
        ("srun: error: n1: task 0: Out Of Memory", False),
        ("loss 0.5", False),
    ],
)
def test_a_kill_for_memory_is_known_by_slurm_s_words(
    run: RunLayout, line: str, ran_out: bool
) -> None:
    run.error_log("7.1", 1).write_text(f"step 1\n{line}\n")
    assert memory_ran_out(run, "7.1") == ran_out
    assert not memory_ran_out(run, "7")


def test_a_launcher_s_complaint_is_no_cause(run: RunLayout, tmp_path: Path) -> None:
    """It raises one however its processes ended; one that was killed has left no word."""
    log = tmp_path / "log"
    log.write_text(
        "Traceback (most recent call last):\n"
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
        "traceback : Signal 9 (SIGKILL) received by PID 30235\n"
    )
    assert find_failure(run, "7", log) is None
