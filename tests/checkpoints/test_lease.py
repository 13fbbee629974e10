"""iacfilter_hpc.checkpoints.lease: of several attempts, only the newest may write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints import checkpoints
from iacfilter_hpc.checkpoints.checkpoints import Checkpoints
from iacfilter_hpc.checkpoints.lease import Lease, LeaseLost, claim
from iacfilter_hpc.runs.layout import RunLayout


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    layout = RunLayout(tmp_path / "run")
    layout.directory.mkdir()
    return layout


def may_write(lease: Lease) -> bool:
    try:
        lease.check()
    except LeaseLost:
        return False
    return True


def test_only_the_newest_of_two_claims_may_write(run: RunLayout) -> None:
    first = claim(run, "7")
    first.check()
    second = claim(run, "8")
    assert (first.number, second.number) == (1, 2)
    second.check()
    with pytest.raises(LeaseLost) as caught:
        first.check()
    assert caught.value.message == (
        "attempt 7 may not write any more: attempt 8 has taken over this run"
    )
    assert caught.value.hint


def test_an_attempt_of_the_same_name_supersedes_too(run: RunLayout) -> None:
    """As where Slurm starts a job twice, on a node that came back."""
    first, second = claim(run, "7.1"), claim(run, "7.1")
    assert not may_write(first)
    assert may_write(second)


def test_a_claim_says_whose_it_is_and_leaves_nothing_else(run: RunLayout) -> None:
    lease = claim(run, "7.1")
    (path,) = run.lease.iterdir()
    assert path.name == "000001.json"
    found = json.loads(path.read_text())
    assert found["attempt"] == "7.1"
    assert found.keys() == {"attempt", "host", "at"}
    assert (lease.attempt, lease.folder) == ("7.1", run.lease)


def test_numbers_go_on_beyond_what_the_names_are_padded_for(run: RunLayout) -> None:
    claim(run, "7")
    (run.lease / "000001.json").rename(run.lease / "999999.json")
    assert claim(run, "8").number == 1_000_000
    lease = claim(run, "9")
    assert lease.number == 1_000_001
    assert may_write(lease)


def test_what_is_no_claim_is_passed_over(run: RunLayout) -> None:
    run.lease.mkdir()
    for name in ("notes.json", ".8.gpu1.123", "000009.txt", "-1.json"):
        (run.lease / name).touch()
    assert claim(run, "7").number == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_holder_that_cannot_be_read_holds_all_the_same(run: RunLayout, text: str) -> None:
    first = claim(run, "7")
    (run.lease / "000002.json").write_text(text)
    with pytest.raises(LeaseLost, match="an unknown attempt has taken over this run"):
        first.check()


def test_claims_that_are_gone_let_nobody_write(run: RunLayout) -> None:
    lease = claim(run, "7")
    (run.lease / "000001.json").unlink()
    assert not may_write(lease)


CLAIMS = """
import sys
from pathlib import Path
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.checkpoints.lease import claim
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    print(claim(RunLayout(Path(sys.argv[1])), sys.argv[2]).number, flush=True)
"""


def test_claims_at_the_same_moment_get_numbers_of_their_own(run: RunLayout) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMS, str(run.directory), str(attempt)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for attempt in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # only now: all are at the gate
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    numbers = [int(n) for process in processes for n in process.communicate(timeout=60)[0].split()]
    assert sorted(numbers) == list(range(1, 101))
    assert sorted(path.name for path in run.lease.iterdir()) == [
        f"{n:06}.json" for n in range(1, 101)
    ]


def staged(run: RunLayout, attempt: str, step: int) -> Checkpoints:
    """An attempt that has written a checkpoint, and not published it."""
    checkpoints = Checkpoints(run, attempt, claim(run, attempt))
    checkpoints.clear()
    written = checkpoints.staging / f"checkpoint-{step}"
    written.mkdir()
    (written / "trainer_state.json").write_text('{"best_model_checkpoint": null}')
    return checkpoints


def test_a_superseded_attempt_publishes_nothing(run: RunLayout) -> None:
    old = staged(run, "7", 4)
    new = staged(run, "8", 4)
    with pytest.raises(LeaseLost):
        old.publish(4, 1)
    assert not list(run.directory.glob("checkpoint-*"))
    new.publish(4, 1)
    assert [path.name for path in run.directory.glob("checkpoint-*")] == ["checkpoint-4"]
    with pytest.raises(LeaseLost):
        old.clear()
    assert not list(run.directory.glob(".saving-8*"))


def test_a_superseded_attempt_deletes_nothing(run: RunLayout) -> None:
    old = staged(run, "7", 4)
    old.publish(4, 1)
    new = staged(run, "8", 8)
    new.publish(8, 1)
    with pytest.raises(LeaseLost):
        old.prune(1)
    assert len(list(run.directory.glob("checkpoint-*"))) == 2


def test_an_attempt_that_is_superseded_while_it_deletes_says_so(
    run: RunLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new attempt cleans up, and so deletes what the old one has begun to delete."""
    staged(run, "6", 4).publish(4, 1)
    old = staged(run, "7", 8)
    old.publish(8, 1)

    def remove(path: Path) -> None:
        claim(run, "8")
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(checkpoints, "_remove", remove)
    with pytest.raises(LeaseLost, match="attempt 8 has taken over this run"):
        old.prune(1)
