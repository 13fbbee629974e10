"""iacfilter-submit --plan, --batch-size auto, and the look at memory before a submission."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from iacfilter_hpc.cli.submit import main
from iacfilter_hpc.config.batch_sizes import BatchSizes
from iacfilter_hpc.config.schema import load_config
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.tree import find_run
from tests.cli.commands import iacfilter
from tests.conftest import Golden
from tests.fake_slurm import FakeSlurm
from tests.gpu_memory.shapes import config_json
from tests.made_runs import DEMO, MadeRuns

FILES = ("--train-file", str(DEMO["train"]), "--validation-file", str(DEMO["validation"]))
GENERATIVE = ("--approach", "generative")
ENCODER = ("--approach", "encoder")
CODELLAMA = "codellama/CodeLlama-7b-hf"


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No model that this machine happens to have."""
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    monkeypatch.setenv("IACFILTER_SITE", str(path))


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("fits", [*GENERATIVE, "--gpus", "h100:4"], 0),
        ("tight", [*GENERATIVE, "--gpus", "a10:2", "--batch-size", "16"], 0),
        ("will-not-fit", [*GENERATIVE, "--gpus", "t4:4"], 1),
        ("unknown-card", [*GENERATIVE, "--gpus", "a100:4"], 0),
        ("encoder", [*ENCODER, "--gpus", "a10:1"], 0),
    ],
)
def test_a_plan(
    golden: Golden,
    models: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    words: list[str],
    code: int,
) -> None:
    assert main([*words, "--plan"]) == code
    said = capsys.readouterr()
    assert said.err == ""
    golden(f"plan-{name}.txt", said.out)
    assert not models.exists()


def test_a_plan_as_json(golden: Golden, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*GENERATIVE, "--gpus", "t4:4", "--plan", "--json"]) == 1
    out = capsys.readouterr().out
    golden("plan.json", out)
    document = json.loads(out)
    assert sum(document["bytes"].values()) == document["total_bytes"]
    assert main([*ENCODER, "--plan", "--json"]) == 0
    unknown = json.loads(capsys.readouterr().out)
    assert list(unknown) == list(document)
    assert (unknown["gpu"], unknown["verdict"], unknown["zero_stage"]) == (None, None, None)


def test_a_plan_and_a_submission_tell_the_same_batch(
    fake_slurm: FakeSlurm, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*GENERATIVE, *FILES, "--gpus", "h100:2", "--batch-size", "4"]
    assert main([*words, "--plan"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith("32 samples per step on 2 devices: 4 samples at once (2048 tokens at on")
    assert main([*words, "--name", "one"]) == 0
    assert f"  batch   {line}\n" in capsys.readouterr().out
    assert main([*words, "--plan", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert main([*words, "--name", "two", "--json"]) == 0
    submitted = json.loads(capsys.readouterr().out)
    assert submitted["global_batch_size"] == submitted["samples_per_step"]
    for field in fields(BatchSizes):
        assert planned[field.name] == submitted[field.name]


def test_a_plan_needs_neither_slurm_nor_data(no_slurm: None, models: Path) -> None:
    done = iacfilter("submit", *GENERATIVE, "--plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert "how much memory a GPU without a type has is not known" in done.stdout
    assert not models.exists()


def test_data_that_is_named_must_be_there(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*GENERATIVE, "--plan", "--train-file", "/nowhere"]) == 2
    assert "--train-file: data.train_file /nowhere is not a file" in capsys.readouterr().err


def test_a_plan_of_a_run_on_the_cpu(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ENCODER, "--plan", "--config", "encoder-tiny"]) == 0
    assert "how much memory the CPU has is not known" in capsys.readouterr().out


def test_the_site_tells_the_card(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site(tmp_path, monkeypatch, "gpu_memory: {a100: 40, default: 16}")
    assert main([*GENERATIVE, "--plan", "--gpus", "a100:4"]) == 0
    assert "\nFits: 40 % of the 37.3 GiB of a100 (40 GB)\n" in capsys.readouterr().out
    assert main([*GENERATIVE, "--plan", "--gpus", "4"]) == 1
    assert "14.9 GiB of a GPU (16 GB)" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{a100: 0}", "{a100: -1}", "{a100: .nan}", "{a100: big}", "3"])
def test_a_wrong_size_in_the_site_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    site(tmp_path, monkeypatch, f"gpu_memory: {text}")
    assert main([*GENERATIVE, "--plan"]) == 2
    assert "site.yaml:1: gpu_memory" in capsys.readouterr().err


def test_a_plan_is_corrected_by_what_runs_needed(
    made: MadeRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = made.run(
        "one",
        "generative",
        model_name_or_path=CODELLAMA,
        planned_bytes=14 * 10**9,
        planned_activations=10**9,
    )
    peak = {"schema": 1, "peak_bytes": 145 * 10**8, "device": "a GPU"}
    layout.memory.write_text(json.dumps(peak))
    assert main([*GENERATIVE, "--plan", "--gpus", "h100:1"]) == 0
    out = capsys.readouterr().out
    assert "\nactivations x 1.50, as 1 run has shown" in out
    assert main([*GENERATIVE, "--plan", "--gpus", "h100:1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    terms = document["bytes"]
    more = (terms["activations"] + terms["logits"]) / 2
    assert document["correction"] == {"factor": 1.5, "runs": 1}
    assert document["total_bytes"] == sum(terms.values()) + round(more)


@pytest.mark.parametrize("other", ["--dry-run", "--rehearse", "--print-script"])
def test_a_plan_is_no_run(models: Path, capsys: pytest.CaptureFixture[str], other: str) -> None:
    assert main([*GENERATIVE, "--plan", other]) == 2
    assert capsys.readouterr().err == f"error: --plan does not go with {other}\n"


def test_a_model_that_is_not_known(
    fake_slurm: FakeSlurm, models: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*GENERATIVE, "--plan", "--model-name", "org/new"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: no config.json of 'org/new' is here")
    assert "\nhint: " in said.err
    # a submission goes on without the check
    assert main([*GENERATIVE, *FILES, "--model-name", "org/new"]) == 0
    (said_once,) = capsys.readouterr().err.splitlines()
    assert said_once.startswith("GPU memory was not checked: no config.json of 'org/new'")
    path = config_json(tmp_path / "t5", model_type="t5")
    assert main([*GENERATIVE, "--plan", "--model-name", str(path.parent)]) == 2
    assert f"error: {path}: model_type is 't5'" in capsys.readouterr().err


def test_a_run_that_will_not_fit_is_submitted_with_a_warning(
    fake_slurm: FakeSlurm, models: Path
) -> None:
    done = iacfilter("submit", *GENERATIVE, *FILES, "--gpus", "t4:4", "--name", "mine")
    assert done.returncode == 0
    assert done.stderr == (
        "warning: 14.9 GiB will not fit the 14.9 GiB of t4 (16 GB)\n"
        "hint: --set accelerate.deepspeed_config_file=zero3\n"
    )
    assert fake_slurm.calls("sbatch") == 1
    planned = records.read_record(find_run(models, "mine")).planned_bytes
    assert planned == pytest.approx(14_378_786_816, rel=1e-3)


def test_a_run_that_goes_on_elsewhere_is_checked_again(
    fake_slurm: FakeSlurm, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GENERATIVE, *FILES, "--gpus", "h100:4", "--name", "mine"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["--resume", "mine", "--gpus", "t4:4"]) == 0
    assert capsys.readouterr().err.startswith("warning: 14.9 GiB will not fit the 14.9 GiB of t4")


def test_runs_on_the_cpu_are_not_checked(fake_slurm: FakeSlurm, models: Path) -> None:
    done = iacfilter("submit", *GENERATIVE, *FILES, "--config", "generative-tiny", "--name", "mine")
    assert (done.returncode, done.stderr) == (0, "")
    assert records.read_record(find_run(models, "mine")).planned_bytes is None


@pytest.mark.parametrize(
    ("words", "batch", "accumulation"),
    [
        # 2 x 4 samples a step are the most that are needed
        ([*GENERATIVE, "--gpus", "h100:4"], 8, 1),
        (
            [*GENERATIVE, "--gpus", "a10:2", "--set", "training.gradient_accumulation_steps=32"],
            8,
            8,
        ),
        ([*ENCODER, "--gpus", "h100:1"], 16, 1),
    ],
)
def test_the_plan_chooses_the_batch(
    fake_slurm: FakeSlurm, models: Path, words: list[str], batch: int, accumulation: int
) -> None:
    assert main([*words, *FILES, "--batch-size", "auto", "--name", "auto"]) == 0
    assert main([*words, *FILES, "--name", "plain"]) == 0
    config, plain = (load_config(find_run(models, name)) for name in ("auto", "plain"))
    training = config.training
    assert training.per_device_train_batch_size == batch
    assert training.gradient_accumulation_steps == accumulation
    assert config.global_batch_size == plain.global_batch_size


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--gpus", "4"], "how much memory a GPU without a type has is not known", "gpu_memory"),
        (["--gpus", "a100:4"], "how much memory a GPU of type a100 has", "name its type"),
        (["--gpus", "t4:1"], "not one sample fits 16 GB", "zero3-offload"),
        (["--dry-run"], "is for GPUs, not for training.use_cpu=true", "give a number"),
        (["--gpus", "h100:1", "--model-name", "org/new"], "no config.json of 'org/new'", "HF_HOME"),
    ],
)
def test_where_no_batch_can_be_chosen(
    fake_slurm: FakeSlurm,
    models: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
    hint: str,
) -> None:
    assert main([*GENERATIVE, *FILES, "--batch-size", "auto", *words]) == 2
    error, advice = capsys.readouterr().err.split("\nhint: ")
    assert error.startswith("error: ")
    assert message in error
    assert hint in advice
    assert not models.exists()


@pytest.mark.parametrize("words", [["--plan"], ["--batch-size", "auto"]])
def test_a_resumed_run_has_its_batches(
    made: MadeRuns, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    made.run("mine")
    assert main(["--resume", "mine", *words]) == 2
    assert f"{' '.join(words)} does not go with --resume" in capsys.readouterr().err
