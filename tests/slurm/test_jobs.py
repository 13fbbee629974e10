"""iacfilter_hpc.slurm.jobs: a job is requeued, or goes on as another one."""

from __future__ import annotations

import json

import pytest

from iacfilter_hpc.errors import JobMayExist, SlurmRefused, SubmissionError
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.states import JobState
from iacfilter_hpc.slurm import retry
from iacfilter_hpc.slurm.jobs import JobNow, JobReason, job_now, moved, requeue, resubmit
from tests.fake_slurm import SEPARATOR, FakeSlurm
from tests.made_runs import MadeRuns


@pytest.mark.parametrize(
    ("dependency", "expected"),
    [
        ("afterok:12(unfulfilled)", "afterok:90"),
        ("afterok:12", "afterok:90"),
        ("after:12+5(unfulfilled)", "after:90+5"),
        ("afterok:12(unfulfilled),afterany:13(unfulfilled)", "afterok:90,afterany:13"),
        ("afterany:13(unfulfilled)?afternotok:12(failed)", "afterany:13?afternotok:90"),
        ("afterok:12?afterok:12", "afterok:90?afterok:90"),
        ("afterok:11:12:13", "afterok:11:90:13"),
        ("singleton(unfulfilled)", None),
        ("singleton(unfulfilled),afterok:12(unfulfilled)", "singleton,afterok:90"),
        ("afterok:1(unfulfilled)", None),
        ("afterok:112(unfulfilled)", None),
        ("afterok:123(unfulfilled)", None),
        ("aftercorr:12_4(unfulfilled)", None),
        ("after:3+12(unfulfilled)", None),
        ("", None),
        ("(null)", None),
    ],
)
def test_a_dependency_is_moved_to_the_new_job(dependency: str, expected: str | None) -> None:
    assert moved(dependency, "12", "90") == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "JobId=7 JobName=a JobState=RUNNING JobReason=None Requeue=1 Restarts=2 x\n",
            JobNow(JobState.RUNNING, "None", 2),
        ),
        (
            "JobId=7 JobName=JobStates=X JobState=COMPLETING JobReason=TimeLimit\n",
            JobNow(JobState.COMPLETING, JobReason.TIME_LIMIT, 0),
        ),
        ("", JobNow(JobState.UNKNOWN, "", 0)),
    ],
)
def test_the_controller_s_words_for_a_job(
    fake_slurm: FakeSlurm, said: str, expected: JobNow
) -> None:
    fake_slurm.says("scontrol", stdout=said)
    assert job_now("7") == expected
    assert fake_slurm.commands("scontrol") == [["--oneliner", "show", "job", "7"]]


def test_requeueing_that_is_refused_is_told(fake_slurm: FakeSlurm) -> None:
    requeue("7")
    assert fake_slurm.commands("scontrol") == [["requeue", "7"]]
    fake_slurm.says("scontrol requeue", stderr="Requested operation is presently disabled", code=1)
    with pytest.raises(SlurmRefused, match="presently disabled"):
        requeue("7")


@pytest.fixture
def run(made: MadeRuns, fake_slurm: FakeSlurm) -> RunLayout:
    """A run whose job 7 was submitted, and sbatch's answer to the next one."""
    layout = made.run("mine")
    made.job(layout, "7")
    (layout.slurm / "7_submission.sh").write_text("#!/bin/bash\n# of 7\n")
    (layout.slurm / "7_submitted.pkl").write_bytes(b"a pickle")
    fake_slurm.says("sbatch", stdout="90;cluster\n")
    return layout


def waiting(fake_slurm: FakeSlurm, **jobs: str) -> None:
    """squeue lists these jobs of mine with what each waits for."""
    lines = [f"{name[1:]}{SEPARATOR}{found}{SEPARATOR}\n" for name, found in jobs.items()]
    fake_slurm.says("squeue", stdout="".join(lines))


def test_a_run_goes_on_as_a_new_job(
    run: RunLayout, fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SUBMITIT_EXECUTOR", "MASTER_ADDR"):
        monkeypatch.setenv(name, "7")
    waiting(fake_slurm, j8="afterok:7(unfulfilled)", j9="singleton(unfulfilled)", j90="")
    assert resubmit(run, "7", ["gpu1", "gpu2"]) == "90"
    script = str(run.slurm / "7_submission.sh")
    assert fake_slurm.commands("sbatch") == [
        ["--parsable", "--hold", "--exclude=gpu1,gpu2", script]
    ]
    assert fake_slurm.script() == "#!/bin/bash\n# of 7\n"
    assert (run.slurm / "90_submission.sh").read_text() == "#!/bin/bash\n# of 7\n"
    assert (run.slurm / "90_submitted.pkl").read_bytes() == b"a pickle"
    record = json.loads(run.job("90").read_text())
    assert (record["job_id"], record["executor"], record["purpose"]) == ("90", "slurm", "train")
    # released last: it may start at once
    assert fake_slurm.commands("scontrol") == [
        ["update", "JobId=8", "Dependency=afterok:90"],
        ["release", "90"],
    ]
    seen = fake_slurm.environment("sbatch")
    ours = {"SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SUBMITIT_EXECUTOR", "MASTER_ADDR"}
    assert not seen.keys() & ours


def test_without_a_node_at_fault_none_is_excluded(run: RunLayout, fake_slurm: FakeSlurm) -> None:
    assert resubmit(run, "7", []) == "90"
    script = str(run.slurm / "7_submission.sh")
    assert fake_slurm.commands("sbatch") == [["--parsable", "--hold", script]]
    assert fake_slurm.commands("scontrol") == [["release", "90"]]


def test_a_new_job_can_go_on_as_another(run: RunLayout, fake_slurm: FakeSlurm) -> None:
    assert resubmit(run, "7", []) == "90"
    fake_slurm.says("sbatch", stdout="91\n")
    assert resubmit(run, "90", []) == "91"
    assert (run.slurm / "91_submitted.pkl").read_bytes() == b"a pickle"


def test_a_refusal_of_sbatch_leaves_nothing(run: RunLayout, fake_slurm: FakeSlurm) -> None:
    before = sorted(run.slurm.iterdir())
    fake_slurm.says("sbatch", stderr="sbatch: error: no such partition\n", code=1)
    with pytest.raises(SubmissionError, match=r"sbatch failed: .*no such partition"):
        resubmit(run, "7", [])
    assert sorted(run.slurm.iterdir()) == before
    assert fake_slurm.calls("scontrol") == 0


@pytest.mark.parametrize("printed", ["", "hello\n", "Submitted batch job 90\n"])
def test_an_answer_without_a_job_id_leaves_it_open(
    run: RunLayout, fake_slurm: FakeSlurm, printed: str
) -> None:
    before = sorted(run.slurm.iterdir())
    fake_slurm.says("sbatch", stdout=printed)
    with pytest.raises(JobMayExist, match="sbatch gave no job id"):
        resubmit(run, "7", [])
    assert sorted(run.slurm.iterdir()) == before


def test_a_job_that_sbatch_could_not_tell_of_is_adopted(
    run: RunLayout, fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "ASK_AGAIN_S", 0.1)
    fake_slurm.says("sbatch", stderr="sbatch: error: Socket timed out on send/recv", code=1)
    fake_slurm.says(
        "squeue",
        stdout=f"7{SEPARATOR}None{SEPARATOR}\n93{SEPARATOR}JobHeldUser{SEPARATOR}\n",
    )
    assert resubmit(run, "7", ["gpu1"]) == "93"
    assert fake_slurm.calls("sbatch") == 1
    assert fake_slurm.commands("scontrol")[-1] == ["release", "93"]


def test_a_person_s_own_exclusions_stay(run: RunLayout, fake_slurm: FakeSlurm) -> None:
    """The option replaces the line in the script."""
    script = run.slurm / "7_submission.sh"
    script.write_text("#!/bin/bash\n#SBATCH --exclude='gpu7,gpu8'\n")
    assert resubmit(run, "7", ["gpu1"]) == "90"
    assert fake_slurm.arguments("sbatch")[2] == "--exclude=gpu1,gpu7,gpu8"


def test_a_dependent_that_cannot_be_moved_does_not_hold_the_run(
    run: RunLayout, fake_slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting(fake_slurm, j8="afterok:7(unfulfilled)", j9="afterany:7(unfulfilled)")
    fake_slurm.says("scontrol update", stderr="Job has already finished", code=1)
    assert resubmit(run, "7", []) == "90"
    assert [words[0] for words in fake_slurm.commands("scontrol")] == ["update"] * 2 + ["release"]
    said = "still waits for 7: scontrol failed: Job has already finished"
    assert capsys.readouterr().err == f"job 8 {said}\njob 9 {said}\n"
