"""iacfilter_hpc.launch.rehearsal: where a stopped run went on, and what the result says."""

from __future__ import annotations

import pytest

from iacfilter_hpc.errors import JobFailed
from iacfilter_hpc.launch import rehearsal
from iacfilter_hpc.launch.rehearsal import RehearsalResult, Stop, describe
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.records import DrainedRecord, ResumedRecord
from tests.made_runs import MadeRuns


def test_records_of_attempts_say_where_it_stopped_and_went_on(made: MadeRuns) -> None:
    layout = made.run("cut")
    made.job(layout, "7")
    stopped = DrainedRecord(attempt="7", step=4, checkpoint="checkpoint-4", reason="r", saved_at="")
    records.write_record(layout.drained("7"), stopped)
    resumed = ResumedRecord(attempt="7.1", step=4, checkpoint="checkpoint-4", at="")
    records.write_record(layout.resumed("7.1"), resumed)
    # the sentence of a log is for people
    layout.error_log("7.1").write_text("going on from checkpoint-9, verified in 0.1 s\n")
    assert rehearsal._went_on(layout, "a way", "7") == Stop("a way", "7", 4, 4)


@pytest.mark.parametrize(
    ("went_on_at", "equal", "survives"), [(4, True, True), (3, True, False), (4, False, False)]
)
def test_a_run_survives_if_nothing_is_lost(went_on_at: int, equal: bool, survives: bool) -> None:
    result = RehearsalResult("cut", "twin", (Stop("a way", "7", 4, went_on_at),), equal)
    assert result.survives is survives
    first, how, weights = describe(result).splitlines()
    assert first == ("Survives: nothing was lost" if survives else "DOES NOT SURVIVE")
    assert how == f"  a way: saved at step 4, went on at step {went_on_at}"
    assert weights.endswith("those of twin, bit for bit")


def test_weights_are_compared_whatever_an_approach_calls_them(made: MadeRuns) -> None:
    one, other = made.run("cut"), made.run("twin")
    for layout in (one, other):
        layout.final.mkdir()
        (layout.final / "linear.safetensors").write_bytes(b"weights")
    assert rehearsal._weights(one) == rehearsal._weights(other)
    (other.final / "linear.safetensors").write_bytes(b"others")
    assert rehearsal._weights(one) != rehearsal._weights(other)


def test_two_runs_without_weights_are_not_equal(made: MadeRuns) -> None:
    layout = made.run("cut")
    layout.final.mkdir()
    with pytest.raises(JobFailed, match="has no weights"):
        rehearsal._weights(layout)
