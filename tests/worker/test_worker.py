"""iacfilter_hpc.worker.worker: real processes that fail, are killed, and are told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.errors import JobFailed
from iacfilter_hpc.runs.drain_request import DRAIN_SIGNALS
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.worker.job_env import rendezvous
from iacfilter_hpc.worker.process_tree import CommandFailed, run_command
from iacfilter_hpc.worker.worker import Worker, check_data
from tests.fake_slurm import FakeSlurm
from tests.made_runs import DEMO, MadeRuns, demo_config


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], list[str]]:
    """Makes the command line of a job from Python text."""

    def make(text: str) -> list[str]:
        path = tmp_path / "job.py"
        path.write_text(text)
        return [sys.executable, "-S", "-E", str(path)]

    return make


Program = Callable[[str], list[str]]


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Return when the condition holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_command_that_ends_well_is_silent(program: Program, tmp_path: Path) -> None:
    made = {"OUT": str(tmp_path / "out")}
    argv = program("import os; open(os.environ['OUT'], 'w')")
    run_command(argv, made, RunLayout(tmp_path), "7", tmp_path / "log")
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("raise SystemExit(7)", "exit code 7"),
        ("raise ValueError", "exit code 1"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 40)", "signal 40"),
    ],
)
def test_how_a_command_failed_is_told(
    program: Program, tmp_path: Path, text: str, how: str
) -> None:
    log = tmp_path / "log"
    with pytest.raises(CommandFailed) as caught:
        run_command(program(text), {}, RunLayout(tmp_path), "7", log)
    assert caught.value.message == f"job.py ended with {how}"
    assert caught.value.hint == f"the whole log is {log}"
    assert caught.value.cause == "killed"
    log.write_text("step 1\nerror: no model\nhint: name one\n")
    with pytest.raises(CommandFailed) as caught:
        run_command(program(text), {}, RunLayout(tmp_path), "7", log)
    assert caught.value.message == f"no model (job.py ended with {how})"
    assert caught.value.cause == "exception"


FAMILY = """
import os, pathlib, signal, subprocess, sys, time
if len(sys.argv) > 1:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(300)
    sys.exit()
here = pathlib.Path(__file__).parent
commands = [[sys.executable, "-S", "-E", __file__, str(here / f"ready{n}")] for n in (1, 2)]
deaf = [subprocess.Popen(command, start_new_session=True) for command in commands]
def stop(*_):
    (here / "stopping").touch()
    time.sleep(0.5)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
signal.signal(signal.SIGTERM, stop)
(here / "pids").write_text(" ".join(str(child.pid) for child in deaf))
(here / "started").touch()
time.sleep(300)
"""


def deaf_children(home: Path) -> list[psutil.Process]:
    """The processes of FAMILY that ignore SIGTERM in sessions of their own, once they are there."""
    wait_for(lambda: all((home / name).exists() for name in ("ready1", "ready2", "started")))
    return [psutil.Process(int(pid)) for pid in (home / "pids").read_text().split()]


def gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


RUN = """
import sys
from iacfilter_hpc.worker.process_tree import run_to_end
print(run_to_end(sys.argv[1:], {}, grace_s=0.5))
"""


def test_a_launcher_that_is_killed_leaves_no_orphan(program: Program, tmp_path: Path) -> None:
    """As when memory runs out; its children ignore SIGTERM, in sessions of their own."""
    argv = [sys.executable, "-c", RUN, *program(FAMILY)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as runner:
        deaf = deaf_children(tmp_path)
        deaf[0].parent().kill()  # type: ignore[union-attr]
        said, _ = runner.communicate(timeout=60)
    assert said == f"{-signal.SIGKILL}\n"
    assert all(map(gone, deaf))


@pytest.fixture
def run(made: MadeRuns) -> RunLayout:
    """A run as submitted, that would train the encoder."""
    layout = made.run("mine")
    layout.config.write_text(as_yaml(demo_config("encoder", "name=mine", "training.use_cpu=true")))
    return layout


# A worker as submitit would call it, with a program of ours in the Python's place: the environment
# says which job and node it is
WORK = """
import sys
from pathlib import Path
from iacfilter_hpc.worker.worker import Worker
sys.executable = sys.argv[2]
Worker(Path(sys.argv[1]))()
"""


@pytest.fixture
def start(run: RunLayout, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the run's worker, whose Python is a shell script of this text."""
    started: list[subprocess.Popen[str]] = []

    def begin(
        text: str, rank: int = 0, nodes: int = 1, work: str = WORK, restarts: int = 0
    ) -> subprocess.Popen[str]:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{text}\n")
        python.chmod(0o755)
        variables = {
            "SUBMITIT_EXECUTOR": "slurm",
            "SLURM_JOB_ID": "7",
            "SLURM_NODEID": str(rank),
            "SLURM_JOB_NUM_NODES": str(nodes),
            "SLURM_PROCID": str(rank),
            "SLURM_LOCALID": "0",
            "SLURM_NTASKS": str(nodes),
            "SLURM_JOB_NODELIST": "gpu[1-2]" if nodes > 1 else "gpu1",
            **({"SLURM_RESTART_COUNT": str(restarts)} if restarts else {}),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", work, str(run.directory), str(python)],
            env={**os.environ, **variables},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            for each in (process, *family):
                each.kill()  # what is left would hold the pipe
        process.communicate()


Start = Callable[..., "subprocess.Popen[str]"]


def outcome(run: RunLayout) -> dict[str, object]:
    written: dict[str, object] = json.loads(run.outcome("7").read_text())
    return written


def test_a_worker_notes_that_it_completed(run: RunLayout, start: Start) -> None:
    process = start(f'printf "%s\\n" "$@" >"${{0%/*}}/arguments"; mkdir {run.final}')
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
    written = outcome(run)
    assert (written["state"], written["exit_code"], written["message"]) == ("COMPLETED", 0, "")
    assert (written["job_id"], written["nodes"]) == ("7", ["gpu1"])
    arguments = (run.directory.parents[2] / "arguments").read_text()
    assert "--machine_rank=0" in arguments
    assert "--main_process_ip=127.0.0.1" in arguments


EVALUATE = """
import sys
from pathlib import Path
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.worker.worker import Worker
sys.executable = sys.argv[2]
Worker(Path(sys.argv[1]), Path("/data"), EvaluateOptions(threshold="argmax"))()
"""


def test_a_worker_passes_on_how_to_evaluate(run: RunLayout, start: Start) -> None:
    process = start('printf "%s\\n" "$@" >"${0%/*}/arguments"', work=EVALUATE)
    assert process.communicate(timeout=60)[1] == ""
    arguments = (run.directory.parents[2] / "arguments").read_text().splitlines()
    assert arguments[1:] == [f"--run-dir={run.directory}", "--data=/data", "--threshold=argmax"]


def test_a_worker_notes_that_its_command_failed(run: RunLayout, start: Start) -> None:
    process = start("exit 3")
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert said.startswith("error: train.py ended with exit code 3\nhint: the whole log is /")
    written = outcome(run)
    assert (written["state"], written["exit_code"]) == ("FAILED", 1)
    assert written["message"] == "train.py ended with exit code 3"
    assert (written["cause"], written["step"], written["saved"]) == ("killed", None, 0)


def test_a_worker_that_breaks_off_notes_that(run: RunLayout, start: Start) -> None:
    run.config.write_text("not: a configuration")
    process = start("exit 0")
    assert "ValidationError" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
    written = outcome(run)
    assert (written["state"], written["message"]) == ("FAILED", "the worker broke off")


def test_only_the_first_node_notes_the_outcome(run: RunLayout, start: Start) -> None:
    process = start("exit 3", rank=1, nodes=2)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "IACFILTER_RENDEZVOUS is not set on" in said
    assert not run.outcome("7").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_cancelling_kills_the_whole_family_at_once_and_is_noted(
    run: RunLayout, start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "job.py").write_text(FAMILY)
    process = start(f"exec {sys.executable} -S -E {tmp_path}/job.py")
    deaf = deaf_children(tmp_path)
    if number == signal.SIGTERM:
        run.cancelled("7").touch()  # as iacfilter-cancel does
    process.send_signal(number)
    process.send_signal(number)  # as impatient people do, and Slurm
    assert process.wait(timeout=5) == 1
    wait_for(lambda: all(map(gone, deaf)), seconds=1)
    assert not (tmp_path / "stopping").exists()
    assert not run.drain.exists()
    said = process.communicate(timeout=20)[1]
    assert said == f"error: stopped by {number.name}\n"
    written = outcome(run)
    assert (written["state"], written["message"]) == ("CANCELLED", f"stopped by {number.name}")


# As training processes do: save and end well once the file of their node is there
SAVES = """
while [ ! -e "$IACFILTER_DRAIN" ]; do sleep 0.02; done
cat >{drained} <<END
{{"attempt": "$IACFILTER_ATTEMPT", "step": 9, "checkpoint": "checkpoint-9", "reason": "SIGUSR1",
  "saved_at": "2026-01-02T03:04:05Z", "schema": 1}}
END
mkdir -p {directory}/checkpoint-9
exit {code}
"""


@pytest.mark.parametrize("number", DRAIN_SIGNALS, ids=lambda n: n.name)
@pytest.mark.parametrize("code", [0, 1])
def test_a_signal_is_passed_on_as_a_request_to_save(
    run: RunLayout, start: Start, number: signal.Signals, code: int
) -> None:
    text = SAVES.format(drained=run.drained("7.2"), directory=run.directory, code=code)
    process = start(f"touch {run.directory}/started\n{text}", restarts=2)
    wait_for((run.directory / "started").exists)
    process.send_signal(number)
    process.send_signal(number)
    said = process.communicate(timeout=20)[1]
    assert (process.returncode, said) == (0, "")
    written = json.loads(run.outcome("7.2").read_text())
    assert (written["state"], written["exit_code"]) == ("DRAINED", 0)
    assert written["message"] == "stopped at step 9 as asked (SIGUSR1)"
    assert (written["restarts"], written["saved"]) == (2, 9)
    assert json.loads(run.drain.read_text())["reason"] == number.name


@pytest.mark.parametrize(("work", "state"), [(WORK, "DRAINED"), (EVALUATE, "CANCELLED")])
def test_a_request_during_evaluation_ends_it_at_once(
    run: RunLayout, start: Start, work: str, state: str
) -> None:
    """That of a training goes on as the run does; another one has nothing to go on from."""
    run.final.mkdir()
    config = demo_config(
        "encoder", "name=mine", "training.use_cpu=true", f"data.test_file={DEMO['test']}"
    )
    run.config.write_text(as_yaml(config))
    process = start(f"touch {run.directory}/started; sleep 300", work=work)
    wait_for((run.directory / "started").exists)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=5) == (0 if state == "DRAINED" else 1)
    written = outcome(run)
    assert (written["state"], written["message"]) == (state, "stopped by SIGUSR1")
    assert not run.drain.exists()


def test_cancelling_after_a_request_does_not_wait_for_it(run: RunLayout, start: Start) -> None:
    process = start(f"touch {run.directory}/started; sleep 300")
    wait_for((run.directory / "started").exists)
    process.send_signal(signal.SIGTERM)
    wait_for(run.drain.exists)
    assert process.poll() is None
    run.cancelled("7").touch()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 1
    assert outcome(run)["state"] == "CANCELLED"


def test_cancelling_while_what_is_left_of_a_command_ends(
    run: RunLayout, start: Start, tmp_path: Path
) -> None:
    """The launcher is gone, and its children do not heed that they are asked to stop."""
    (tmp_path / "job.py").write_text(FAMILY)
    process = start(f"exec {sys.executable} -S -E {tmp_path}/job.py")
    deaf = deaf_children(tmp_path)
    deaf[0].parent().kill()  # type: ignore[union-attr]
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 1
    wait_for(lambda: all(map(gone, deaf)), seconds=1)
    assert outcome(run)["state"] == "CANCELLED"


def test_the_failure_of_a_process_is_the_job_s(run: RunLayout, start: Start) -> None:
    failure = {
        "schema": 1,
        "attempt": "7",
        "rank": 1,
        "node": "gpu1",
        "step": 12,
        "kind": "exception",
        "type": "OutOfMemoryError",
        "message": "CUDA out of memory.\nTried to allocate",
    }
    run.failure("7", 1).write_text(json.dumps(failure))
    process = start("exit 1")
    assert process.communicate(timeout=60)[1].startswith(
        "error: OutOfMemoryError: CUDA out of memory. (train.py ended"
    )
    written = outcome(run)
    assert (written["cause"], written["step"]) == ("memory", 12)


def test_training_that_leaves_nothing_has_failed(run: RunLayout, start: Start) -> None:
    process = start("exit 0")
    said = process.communicate(timeout=60)[1]
    assert said == "error: training left neither a model nor a note that it was stopped\n"
    assert outcome(run)["state"] == "FAILED"


def test_a_model_that_is_there_is_not_trained_again(run: RunLayout, start: Start) -> None:
    run.final.mkdir()
    assert start("exit 3").communicate(timeout=60)[1] == ""
    assert outcome(run)["state"] == "COMPLETED"


def test_a_run_that_another_job_trains_is_left_alone(
    run: RunLayout, start: Start, fake_slurm: FakeSlurm
) -> None:
    fake_slurm.queue(("7", "mine", "RUNNING"), ("8", "mine", "RUNNING"))
    process = start(f"touch {run.directory}/started")
    said = process.communicate(timeout=60)[1]
    assert said == "error: job 8 is training this run\nhint: scancel 8 ends it\n"
    assert not (run.directory / "started").exists()
    fake_slurm.queue(("7", "mine", "RUNNING"), ("8", "mine", "PENDING"), ("9", "x", "RUNNING"))
    start(f"touch {run.directory}/started").communicate(timeout=60)
    assert (run.directory / "started").exists()


def test_starts_that_left_no_word_are_counted(run: RunLayout, start: Start) -> None:
    """Slurm took the job back and killed it before it could write, and starts it again for ever."""
    process = start(f"touch {run.directory}/started; exit 3", restarts=2)
    process.communicate(timeout=60)
    assert (run.directory / "started").exists()
    for attempt in ("7", "7.1"):
        written = json.loads(run.outcome(attempt).read_text())
        assert (written["state"], written["cause"]) == ("FAILED", "killed")
    (run.directory / "started").unlink()
    process = start(f"touch {run.directory}/started", restarts=5)
    said = process.communicate(timeout=60)[1]
    assert said == "error: 5 attempts in a row were killed and saved nothing new\n"
    assert not (run.directory / "started").exists()


def test_a_mount_that_broke_is_the_node_s_fault(run: RunLayout, start: Start) -> None:
    work = WORK.replace(
        "Worker(Path(",
        "import errno, os\n"
        "def broken(*_): raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), '/data')\n"
        "from iacfilter_hpc.worker import worker\nworker.sha256_of = broken\nWorker(Path(",
    )
    record = json.loads(run.record.read_text())
    run.record.write_text(json.dumps({**record, "data_sha256": {"train_file": "0" * 64}}))
    said = start("exit 0", work=work).communicate(timeout=60)[1]
    assert said == "error: [Errno 116] Stale file handle: '/data'\n"
    written = outcome(run)
    assert (written["state"], written["cause"]) == ("FAILED", "node")


def test_data_must_be_that_of_the_submission(run: RunLayout, tmp_path: Path) -> None:
    data = tmp_path / "it's data"
    data.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    record = json.loads(run.record.read_text())
    run.record.write_text(json.dumps({**record, "data_sha256": {"train_file": digest}}))
    config = demo_config("encoder", f"data.train_file={data}")
    check_data(run, config)
    data.write_bytes(b"abd")
    with pytest.raises(JobFailed, match="it's data has changed since the run was submitted"):
        check_data(run, config)
    data.unlink()
    with pytest.raises(JobFailed, match="it's data cannot be read: No such file"):
        check_data(run, config)


def test_changed_data_fails_the_job_before_it_trains(run: RunLayout, start: Start) -> None:
    record = json.loads(run.record.read_text())
    run.record.write_text(json.dumps({**record, "data_sha256": {"train_file": "0" * 64}}))
    process = start('touch "${0%/*}/trained"')
    assert "has changed since the run was submitted" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert not (run.directory.parents[2] / "trained").exists()
    assert outcome(run)["state"] == "FAILED"


@pytest.mark.parametrize(
    ("address", "nodes", "expected"),
    [("head:29500", 2, ("head", 29500)), ("fe80::1:29500", 1, ("fe80::1", 29500))],
)
def test_the_batch_script_says_where_to_meet(
    address: str, nodes: int, expected: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IACFILTER_RENDEZVOUS", address)
    assert rendezvous(nodes) == expected


def test_a_worker_can_be_sent_to_another_process(tmp_path: Path) -> None:
    import pickle

    options = EvaluateOptions(threshold="argmax", output=tmp_path)
    sent = Worker(tmp_path / "it's", tmp_path / "data", options)
    assert pickle.loads(pickle.dumps(sent)) == sent
