"""iacfilter-submit: what a person types, what they get, what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.cli.submit import KEY_OF_FLAG, arguments, main
from iacfilter_hpc.config.schema import load_config
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.runs.tree import find_run
from tests.cli.commands import iacfilter
from tests.fake_slurm import FakeSlurm
from tests.made_runs import DEMO
from tests.slurm.hostile import HOSTILE

FILES = ("--train-file", str(DEMO["train"]), "--validation-file", str(DEMO["validation"]))
ENCODER = ("--approach", "encoder", *FILES)
GENERATIVE = ("--approach", "generative", *FILES)


def tree(path: Path) -> list[Path]:
    return sorted(path.rglob("*"))


def test_a_submission_says_what_comes_next(fake_slurm: FakeSlurm, models: Path) -> None:
    done = iacfilter("submit", *GENERATIVE, "--gpus", "8", "--nodes", "2", "--name", "mine")
    directory = models / "generative" / "mine"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Submitted job 4242: mine\n"
        "  batch   64 samples per step on 8 devices: 2 samples at once (1024 tokens at once), "
        "at most 4 accumulation steps\n"
        f"  script  {directory}/slurm/4242_submission.sh\n"
        f"  log     {directory}/slurm/4242_0_log.out\n"
        "Next: iacfilter-status mine | iacfilter-logs mine -f | iacfilter-cancel mine\n"
    )
    assert "#SBATCH --gpus-per-node=4\n" in fake_slurm.script()
    assert "#SBATCH --nodes=2\n" in fake_slurm.script()


def test_json_is_one_document(fake_slurm: FakeSlurm, models: Path) -> None:
    fake_slurm.says("sbatch", stdout="Submitted batch job 7\n", stderr="sbatch: be nice\n")
    done = iacfilter("submit", *ENCODER, "--name", "mine", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["schema"], found["run"], found["job_id"]) == (1, "mine", "7")
    assert (found["executor"], found["global_batch_size"]) == ("slurm", 16)
    assert (found["samples_per_step"], found["accumulation_steps"]) == (16, 8)
    assert (found["samples_at_once"], found["tokens_at_once"], found["processes"]) == (2, 512, 1)
    assert Path(found["script"]).is_file()
    assert found["directory"] == str(models / "encoder" / "mine")


def test_every_flag_gives_its_setting(
    fake_slurm: FakeSlurm, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "--name": "mine",
        "--model-name": "some/model",
        "--test-file": str(DEMO["test"]),
        "--batch-size": "2",
        "--num-epochs": "3.5",
        "--gpus": "a100:2",
        "--nodes": "2",
        "--cpus-per-task": "3",
        "--mem": "7G",
        "--time": "1-12:30:00",
        "--partition": "gpu,big",
        "--account": "012345",
        "--qos": "high",
    }
    flags = [word for pair in values.items() for word in pair]
    assert main([*GENERATIVE, *flags]) == 0
    config = load_config(find_run(models, "mine"))
    found = config.as_dict()
    for flag, value in {**values, **dict(zip(FILES[::2], FILES[1::2], strict=True))}.items():
        section, _, key = KEY_OF_FLAG[flag[2:].replace("-", "_")].rpartition(".")
        setting = found[section][key] if section else found[key]
        assert str(setting) == str(type(setting)(value)), flag
    script = fake_slurm.script()
    assert "#SBATCH --time=2190\n" in script
    assert "#SBATCH --gpus-per-node=a100:1\n" in script
    assert "#SBATCH --account=012345\n" in script
    assert "#SBATCH --partition=gpu,big\n" in script


def test_every_flag_has_a_setting() -> None:
    flags = vars(arguments().parse_args(["--approach", "encoder"]))
    others = {"approach", "assignments", "config", "dry_run", "executor", "json", "models_dir"}
    assert set(flags) - others - {
        "print_script",
        "resume",
        "rehearse",
        "preempt_with",
        "plan",
    } == set(KEY_OF_FLAG)
    assert all(flags[name] is None for name in KEY_OF_FLAG)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--approach", "encoder", "--gpus", "4"], "the encoder trains on one GPU of one node"),
        (["--approach", "generative", "--gpus", "3", "--nodes", "2"], "cannot be shared equally"),
        (["--approach", "generative"], "data.train_file is not set"),
        (["--approach", "x"], "there is no approach 'x'; there are generative, encoder"),
        ([*ENCODER, "--train-file", "/nowhere"], "--train-file: data.train_file /nowhere is not a"),
        ([*ENCODER, "--train-file", "~nobody/x"], "data.train_file ~nobody/x is not a file"),
        ([*ENCODER, "--time", "soon"], "--time: resources.time is 'soon'"),
        ([*ENCODER, "--batch-size", "two"], "--batch-size: training.per_device_train_batch_size"),
        ([*ENCODER, "--name", "../x"], "--name: name is '../x': a run's name is 1 to 64"),
        ([*ENCODER, "--name", ""], "--name: name is '': a run's name is 1 to 64"),
        ([*ENCODER, "--partition", "a\nb"], "holds a character that no sbatch option takes"),
        ([*ENCODER, "--config", "/nowhere.yaml"], "/nowhere.yaml cannot be read: No such file"),
        ([*ENCODER, "--set", "seed"], "--set seed is not key=value"),
        ([*ENCODER, "--set", "resources.output=x"], "output is set by the toolkit"),
        ([*ENCODER, "--dry-run", "--executor", "slurm"], "--dry-run runs on this machine"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_a_wrong_word_is_a_usage_error_that_leaves_nothing(
    fake_slurm: FakeSlurm,
    models: Path,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert message in said.err
    assert not models.exists()
    assert fake_slurm.calls("sbatch") == 0


@pytest.mark.parametrize(
    "words",
    [[], ["--approach"], [*ENCODER, "extra"], [*ENCODER, "--executor", "x"]],
)
def test_what_argparse_refuses(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("stderr", "code", "message"),
    [
        ("sbatch: error: Invalid account\n", 1, "error: sbatch refused the job: Invalid account\n"),
        ("sbatch: error: Unable to contact slurm controller\n", 3, "error: sbatch: Unable to con"),
        # what SLURM_CONF=/nope leads to, after a minute
        (
            "sbatch: error: s_p_parse_file: cannot stat file /nope: No such file or directory, "
            "retrying in 1sec up to 60sec\nsbatch: error: ClusterName needs to be specified\n"
            "sbatch: fatal: Unable to process configuration file\n",
            3,
            "error: sbatch: s_p_parse_file: cannot stat file /nope: ",
        ),
    ],
)
def test_a_refusal(
    fake_slurm: FakeSlurm, models: Path, stderr: str, code: int, message: str
) -> None:
    fake_slurm.says("sbatch", stderr=stderr, code=1)
    done = iacfilter("submit", *ENCODER)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(message)
    assert list(models.glob("*/*")) == []


def test_slurm_asked_for_but_not_installed(no_slurm: None, models: Path) -> None:
    done = iacfilter("submit", *ENCODER, "--executor", "slurm")
    assert done.returncode == 3
    assert done.stderr == (
        "error: --executor slurm, but sbatch is not on PATH\nhint: --executor local runs it here\n"
    )
    assert not models.exists()


def test_without_slurm_it_says_that_it_runs_here(
    no_slurm: None, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad"
    bad.write_text("{")  # so that it stops before it trains
    assert main([*ENCODER, "--train-file", str(bad)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("sbatch is not on PATH: the job runs on this machine (--executor local)")
    assert f"error: {bad}:1: not JSON" in said
    assert not models.exists()


def test_bad_data_is_named_line_by_line(
    fake_slurm: FakeSlurm, models: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "it's bad"
    bad.write_bytes(b"{\n\xff\n" + b"9" * 5000 + b'\n{"\\u001b[31m": "\\ud800"}\n')
    done = iacfilter("submit", *ENCODER, "--train-file", str(bad))
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert all(line.startswith((f"error: {bad}:", "hint: ")) for line in lines)
    assert {line.split(":")[2] for line in lines[:-1]} == {"1", "2", "3", "4", " and 3 more"}
    assert "\x1b" not in done.stderr
    assert not models.exists()


def test_a_script_is_shown_without_slurm_and_without_a_trace(
    no_slurm: None, tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    done = iacfilter("submit", *GENERATIVE, "--print-script", "--name", "mine", HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path) == before
    checked = subprocess.run(
        ["/bin/bash", "-n"], input=done.stdout, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    document = iacfilter("submit", *GENERATIVE, "--print-script", "--name", "mine", "--json")
    assert json.loads(document.stdout) == {"schema": 1, "script": done.stdout}


def test_the_site_file_reaches_the_job(
    fake_slurm: FakeSlurm, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "python: /shared/python\nmodules: [cuda]\nresources: {partition: gpu, account: 'p;id'}\n"
    )
    monkeypatch.setenv("IACFILTER_SITE", str(site))
    assert main([*ENCODER, "--partition", "mine"]) == 0
    script = fake_slurm.script()
    assert "python=/shared/python\n" in script
    assert "module load cuda\n" in script
    assert "#SBATCH --account='p;id'\n" in script
    assert "#SBATCH --partition=mine\n" in script


def test_the_job_s_python_is_the_one_that_submits(fake_slurm: FakeSlurm, models: Path) -> None:
    assert main([*ENCODER]) == 0
    # the link of the virtual environment, which alone knows its packages
    assert f"\npython={sys.executable}\n" in fake_slurm.script()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words_never_end_in_a_traceback(
    name: str,
    fake_slurm: FakeSlurm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = HOSTILE[name]
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    data = here / f"data{value}".replace("/", "_")
    data.write_bytes(DEMO["train"].read_bytes())
    flags = [f"--model-name={value}", f"--models-dir=m{value}", f"--partition={value}"]
    code = main([*ENCODER, "--train-file", str(data), *flags])
    said = capsys.readouterr()
    if code:
        assert code in (1, 2)
        assert "error: " in said.err
        assert fake_slurm.calls("sbatch") == 0
        assert list(here.rglob("run.json")) == []
    else:
        (record,) = here.rglob("run.json")
        config = load_config(find_run(record.parents[2], record.parent.name))
        assert config.model.model_name_or_path == value
        assert config.data.train_file == data
        assert config.resources.partition == value
    assert not (here / "canary").exists()


def test_shipped_settings_can_be_named(
    fake_slurm: FakeSlurm, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GENERATIVE, "--config", "generative-tiny", "--name", "mine"]) == 0
    assert load_config(find_run(models, "mine")).model.model_name_or_path == "tiny"
    assert resource("configs", "generative-tiny.yaml").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "the following arguments are required: --approach"),
        (["--resume=x", "--approach=encoder"], "--approach does not go with --resume"),
        (["--resume=x", "--dry-run"], "--dry-run does not go with --resume"),
        (["--resume=x", "--rehearse"], "--rehearse does not go with --resume"),
        (["--resume=x"], "no run x under"),
        (["--approach=encoder", "--rehearse", "--dry-run"], "--rehearse runs on Slurm"),
        (["--approach=encoder", "--rehearse", "--print-script"], "not go with --print-script"),
        (["--approach=encoder", "--preempt-with=high"], "--preempt-with goes with --rehearse"),
        (["--approach=encoder", "--rehearse", "--executor=local"], "--rehearse runs on Slurm"),
    ],
)
def test_modes_that_do_not_go_together(
    capsys: pytest.CaptureFixture[str], models: Path, arguments: list[str], says: str
) -> None:
    try:
        code: object = main(arguments)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert says in said.err
