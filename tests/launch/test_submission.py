"""iacfilter_hpc.launch.submission: a submission leaves a whole run or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.config.approaches import APPROACHES
from iacfilter_hpc.config.evaluate_options import DEFAULTS
from iacfilter_hpc.config.schema import load_config
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import (
    DataError,
    IacfilterError,
    SlurmUnreachable,
    SubmissionError,
    UsageError,
)
from iacfilter_hpc.launch import submission
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.tree import find_run
from iacfilter_hpc.samples.sample import read_samples, write_samples
from tests.fake_slurm import FakeSlurm
from tests.made_runs import DEMO, MadeRuns, demo_config

SITE = Site(python="/shared/python")


def submit(models: Path, *assignments: str, approach: str = "encoder") -> submission.Submitted:
    return submission.submit(demo_config(approach, *assignments), SITE, models, "slurm")


def left(models: Path) -> list[str]:
    """What lies below the models directory, empty directories of approaches aside."""
    return sorted(str(path.relative_to(models)) for path in models.glob("*/*"))


def test_a_submission_leaves_a_whole_run(fake_slurm: FakeSlurm, models: Path) -> None:
    done = submit(models, "name=mine", approach="generative")
    layout = RunLayout(models / "generative" / "mine")
    assert done == submission.Submitted(layout, "4242", "slurm")
    assert done.script
    assert done.script.read_text() == fake_slurm.script()
    assert done.log == layout.slurm / "4242_0_log.out"
    assert {path.name for path in layout.directory.iterdir()} == {
        *("run.json", "config.yaml", "deepspeed.json", "slurm"),
    }
    (job,) = records.jobs(layout)
    assert (job.job_id, job.executor, job.purpose) == ("4242", "slurm", "train")
    assert load_config(layout).name == "mine"
    assert set(records.read_record(layout).data_sha256) == {"train_file", "validation_file"}
    assert "/shared/python" in fake_slurm.script()


def test_the_job_s_files_are_for_the_group(fake_slurm: FakeSlurm, models: Path) -> None:
    layout = submit(models).layout
    for path in (layout.record, layout.config, layout.job("4242")):
        assert path.stat().st_mode & 0o044 == 0o044


def test_a_package_that_is_missing_here_is_told_here(
    fake_slurm: FakeSlurm, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "check_training_is_installed", lambda: None)
    wanted = ("model.attn_implementation=flash_attention_2",)
    with pytest.raises(IacfilterError, match="needs the package flash_attn"):
        submission.submit(demo_config("encoder", *wanted), Site(), models, "slurm")
    assert left(models) == []
    # what another Python has is for the job to find out
    assert submit(models, *wanted).job_id == "4242"


def test_a_run_without_a_name_gets_one(fake_slurm: FakeSlurm, models: Path) -> None:
    layout = submit(models).layout
    assert layout.name.startswith("encoder-")
    assert f"--job-name={layout.name}\n" in fake_slurm.script()
    assert load_config(layout).name == layout.name


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("sbatch: error: Batch job submission failed: Invalid account\n", SubmissionError),
        ("sbatch: error: Unable to contact slurm controller (connect failure)\n", SlurmUnreachable),
    ],
)
def test_a_refusal_leaves_nothing(
    fake_slurm: FakeSlurm, models: Path, stderr: str, kind: type[IacfilterError]
) -> None:
    fake_slurm.says("sbatch", stderr=stderr, code=1)
    with pytest.raises(kind):
        submit(models)
    assert left(models) == []
    fake_slurm.says("sbatch", stdout="Submitted batch job 1\n")
    submit(models, "name=mine")
    assert left(models) == ["encoder/mine"]


def test_where_the_job_may_exist_its_files_stay(fake_slurm: FakeSlurm, models: Path) -> None:
    said = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"
    fake_slurm.says("sbatch", stderr=said, code=1)
    with pytest.raises(SlurmUnreachable) as caught:
        submit(models, "name=mine")
    assert caught.value.hint == "the job may exist: squeue --me --name=mine"
    layout = find_run(models, "mine")
    assert records.read_record(layout).run == "mine"
    assert records.jobs(layout) == []


def test_a_taken_name_leaves_the_run_alone(fake_slurm: FakeSlurm, models: Path) -> None:
    layout = submit(models, "name=mine").layout
    before = {path: path.read_bytes() for path in layout.directory.rglob("*") if path.is_file()}
    for approach in APPROACHES:
        with pytest.raises(UsageError, match="run mine exists already"):
            submit(models, "name=mine", approach=approach)
    assert {p: p.read_bytes() for p in layout.directory.rglob("*") if p.is_file()} == before
    assert fake_slurm.calls("sbatch") == 1


def test_faults_of_all_data_files_stop_it_before_anything_is_made(
    fake_slurm: FakeSlurm, models: Path, tmp_path: Path
) -> None:
    train, validation = tmp_path / "train", tmp_path / "validation"
    train.write_text("{\n\n")
    validation.write_text("[]\n")
    with pytest.raises(DataError) as caught:
        submit(models, f"data.train_file={train}", f"data.validation_file={validation}")
    places = [line.partition(": ")[0] for line in caught.value.message.splitlines()]
    assert places == [f"{train}:1", f"{train}:2", f"{validation}:1"]
    assert caught.value.hint
    assert not models.exists()
    assert fake_slurm.calls("sbatch") == 0


def test_files_that_cannot_train_stop_it_before_anything_is_made(
    fake_slurm: FakeSlurm, models: Path, tmp_path: Path
) -> None:
    some = read_samples(DEMO["train"])
    both, same, single = (tmp_path / name for name in ("both", "same", "single"))
    write_samples(both, some)
    write_samples(same, some)
    write_samples(single, [one for one in some if one.label == "FP"])
    for validation, message in (
        (single, f"{single} has no sample labelled TP"),
        (same, f"{both} and {same} hold the same samples"),
        (both, f"{both} and {both} hold the same samples"),
    ):
        with pytest.raises(DataError) as caught:
            submit(models, f"data.train_file={both}", f"data.validation_file={validation}")
        assert caught.value.message.startswith(message)
        assert caught.value.hint
    assert not models.exists()
    assert fake_slurm.calls("sbatch") == 0


def test_a_models_directory_that_cannot_be_written(fake_slurm: FakeSlurm, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IacfilterError, match="cannot be made: Not a directory"):
        submit(tmp_path / "file")
    assert fake_slurm.calls("sbatch") == 0


def test_a_directory_that_no_log_can_have_leaves_nothing(
    fake_slurm: FakeSlurm, tmp_path: Path
) -> None:
    models = tmp_path / "100%"
    with pytest.raises(IacfilterError, match="cannot hold logs of Slurm"):
        submit(models)
    assert left(models) == []


def test_what_chooses_the_threshold_is_not_what_tests_it(
    fake_slurm: FakeSlurm, models: Path, tmp_path: Path
) -> None:
    test = tmp_path / "test.jsonl"
    test.write_text(DEMO["train"].read_text() + DEMO["validation"].read_text())
    with pytest.raises(DataError) as caught:
        submit(models, f"data.test_file={test}")
    assert caught.value.message.startswith(
        f"{test} shares 3 of its samples with {DEMO['validation']}"
    )
    assert left(models) == [] and fake_slurm.calls("sbatch") == 0
    test.write_text(DEMO["train"].read_text())
    submit(models, f"data.test_file={test}")


def test_one_machine_is_not_two_nodes(models: Path) -> None:
    config = demo_config("generative", "resources.gpus=2", "resources.nodes=2")
    with pytest.raises(IacfilterError, match="--nodes 2 needs Slurm"):
        submission.submit(config, SITE, models, "local")
    assert left(models) == []


def test_an_evaluation_asks_for_one_gpu_of_the_same_kind(
    fake_slurm: FakeSlurm, models: Path, tmp_path: Path
) -> None:
    data = tmp_path / "it's data"
    config = demo_config("generative", "name=mine", "resources.gpus=a100:8", "resources.nodes=2")
    layout = submission.submit(config, SITE, models, "slurm").layout
    fake_slurm.says("sbatch", stdout="Submitted batch job 4243\n")
    done = submission.submit_evaluation(layout, config, data, DEFAULTS, SITE, "slurm")
    assert done.job_id == "4243"
    script = fake_slurm.script()
    assert "#SBATCH --gpus-per-node=a100:1\n" in script
    assert "#SBATCH --nodes=1\n" in script
    assert "rendezvous" not in script
    assert [job.purpose for job in records.jobs(layout)] == ["train", "evaluate"]


def test_a_refused_evaluation_leaves_the_run_alone(
    fake_slurm: FakeSlurm, models: Path, tmp_path: Path
) -> None:
    config = demo_config("encoder", "name=mine")
    layout = submission.submit(config, SITE, models, "slurm").layout
    fake_slurm.says("sbatch", stderr="sbatch: error: no\n", code=1)
    with pytest.raises(SubmissionError):
        submission.submit_evaluation(layout, config, tmp_path, DEFAULTS, SITE, "slurm")
    assert find_run(models, "mine") == layout
    assert len(records.jobs(layout)) == 1


def test_the_executor_is_slurm_where_there_is_one(fake_slurm: FakeSlurm) -> None:
    assert submission.choose_executor("auto") == "slurm"
    assert submission.choose_executor("slurm") == "slurm"
    assert submission.choose_executor("local") == "local"


def test_the_executor_is_this_machine_where_there_is_no_slurm(no_slurm: None) -> None:
    assert submission.choose_executor("auto") == "local"
    assert submission.choose_executor("local") == "local"
    with pytest.raises(SlurmUnreachable, match="sbatch is not on PATH"):
        submission.choose_executor("slurm")


def test_a_script_is_shown_without_a_trace(no_slurm: None, tmp_path: Path, models: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    text = submission.script_text(demo_config("generative"), SITE, models)
    assert text.startswith("#!/bin/bash\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_every_run_s_record_is_json_that_others_can_read(made: MadeRuns) -> None:
    layout = made.run("mine")
    record = json.loads(layout.record.read_text())
    assert record["schema"] == records.SCHEMA
    assert record["run"] == "mine"
