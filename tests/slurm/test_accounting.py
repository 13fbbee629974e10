"""iacfilter_hpc.slurm.accounting: seconds of the jobs that sacct knows."""

from __future__ import annotations

import pytest

from iacfilter_hpc.slurm.accounting import accounted_seconds, seconds_of
from tests.fake_slurm import FakeSlurm
from tests.made_runs import MadeRuns


@pytest.mark.parametrize(
    ("elapsed", "seconds"),
    [("00:00:00", 0), ("00:01:05", 65), ("23:59:59", 86399), ("1-02:03:04", 93784)],
)
def test_slurms_times(elapsed: str, seconds: float) -> None:
    assert seconds_of(elapsed) == seconds


def test_one_call_for_all_training_jobs(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    one, two, local = made.run("one"), made.run("two"), made.run("local")
    made.job(one, "7")
    made.job(two, "8")
    made.job(local, "9", executor="local")
    fake_slurm.accounts(
        "7|one|COMPLETED|01:00:00",
        "8|two|RUNNING|00:10:00",
    )
    assert accounted_seconds([one, two, local]) == {"7": 3600}
    assert fake_slurm.calls("sacct") == 1
    assert "--jobs=7,8" in fake_slurm.arguments("sacct")


def test_a_job_id_that_slurm_gave_again_is_not_ours(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    one = made.run("one")
    made.job(one, "7")
    fake_slurm.accounts("7|somebody else|COMPLETED|01:00:00")
    assert accounted_seconds([one]) == {}


def test_a_requeued_job_has_taken_the_time_of_all_its_attempts(
    fake_slurm: FakeSlurm, made: MadeRuns
) -> None:
    one, two = made.run("one"), made.run("two")
    made.job(one, "7")
    made.job(two, "8")
    fake_slurm.accounts(
        "7|one|PREEMPTED|02:00:00",
        "7|one|REQUEUED|00:30:00",
        "7|one|CANCELLED by 1000|01:00:00",
        "8|two|REQUEUED|02:00:00",
        "8|two|PENDING|00:00:00",
    )
    assert accounted_seconds([one, two]) == {"7": 3.5 * 3600}, "two has not ended"
    assert "--duplicates" in fake_slurm.arguments("sacct")


def test_a_sacct_that_fails_knows_nothing(fake_slurm: FakeSlurm, made: MadeRuns) -> None:
    one = made.run("one")
    made.job(one, "7")
    fake_slurm.says("sacct", stderr="sacct: error: accounting is disabled\n", code=1)
    assert accounted_seconds([one]) == {}


def test_without_slurm_nothing_is_known(no_slurm: None, made: MadeRuns) -> None:
    one = made.run("one")
    made.job(one, "7")
    assert accounted_seconds([one]) == accounted_seconds([]) == {}
