"""iacfilter_hpc.config.resolve: which layer wins, and what is said when a setting is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.config.approaches import APPROACHES
from iacfilter_hpc.config.deepspeed import deepspeed_file
from iacfilter_hpc.config.layers import from_value
from iacfilter_hpc.config.resolve import ONE_APPROACH, run_config, site_settings
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.runs.layout import resource
from tests.made_runs import DEMO, demo_config


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


def with_demo(file: Path, text: str) -> Path:
    """A settings file that names the demo data and ends with this text."""
    train, validation = DEMO["train"], DEMO["validation"]
    file.write_text(f"data: {{train_file: {train}, validation_file: {validation}}}\n{text}")
    return file


def resolved(file: Path, *assignments: str, approach: str = "encoder") -> RunConfig:
    return run_config(approach, site=Site(), config_file=file, assignments=assignments)


def refusal(file: Path, *assignments: str, approach: str = "encoder") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolved(file, *assignments, approach=approach)
    return caught.value


def test_every_layer_wins_over_those_before_it(file: Path) -> None:
    site = Site(resources={"mem": "site", "qos": "site", "partition": "site", "account": "site"})
    with_demo(file, "resources: {qos: file, partition: file, account: file}\n")

    def build(dry_run: bool) -> RunConfig:
        return run_config(
            "encoder",
            site=site,
            config_file=file,
            assignments=["resources.partition=set", "resources.account=set"],
            flags=[from_value("resources.account", "flag", "--account")],
            dry_run=dry_run,
        )

    found = build(dry_run=False).resources
    assert found.time == "04:00:00"
    names = (found.mem, found.qos, found.partition, found.account)
    assert names == ("site", "file", "set", "flag")
    assert build(dry_run=True).resources.mem == "2G"


def test_a_dry_run_lays_tiny_settings_and_the_demo_over_the_file(file: Path) -> None:
    file.write_text("model: {model_name_or_path: big}\ntraining: {seed: 5, use_cpu: false}\n")
    config = run_config(
        "generative",
        site=Site(),
        config_file=file,
        assignments=["training.bf16=true"],
        dry_run=True,
    )
    assert config.model.model_name_or_path == "tiny"
    assert (config.training.seed, config.training.use_cpu, config.training.bf16) == (5, True, True)
    assert config.data.train_file == DEMO["train"]


def test_a_flag_that_equals_the_default_still_wins(file: Path) -> None:
    with_demo(file, "training: {per_device_train_batch_size: 8}\n")
    flag = from_value("training.per_device_train_batch_size", "2", "--batch-size")
    config = run_config("encoder", site=Site(), config_file=file, flags=[flag])
    assert resolved(file).training.per_device_train_batch_size == 8
    assert config.training.per_device_train_batch_size == 2


@pytest.mark.parametrize("name", ["encoder-tiny", "encoder"])
def test_a_shipped_file_is_found_by_its_name(name: str, file: Path) -> None:
    flags = [from_value(f"data.{split}_file", str(DEMO[split]), "") for split in DEMO]
    config = run_config("encoder", site=Site(), config_file=Path(name), flags=flags)
    assert (config.model.model_name_or_path == "tiny") == (name == "encoder-tiny")


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("suffix", ["", "-tiny"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_of_another_approach_is_refused(approach: str, suffix: str, dry_run: bool) -> None:
    other = next(name for name in APPROACHES if name != approach)
    file = resource("configs", f"{other}{suffix}.yaml")
    # what is said later does not make the rest of the file fit
    assignments = [f"approach={approach}"]
    with pytest.raises(ConfigError) as caught:
        run_config(
            approach, site=Site(), config_file=file, assignments=assignments, dry_run=dry_run
        )
    line = file.read_text().splitlines().index(f"approach: {other}") + 1
    assert caught.value.text() == (
        f"error: {file}:{line}: approach {other} contradicts --approach {approach}\n"
        "hint: settings are of one approach: change --approach, or take those of another file"
    )
    assert caught.value.exit_code == 2


def test_every_wrong_setting_is_named_at_once_with_its_line(file: Path) -> None:
    file.write_text(
        "training:\n"
        "  sead: 7\n"
        "  learning_rate: fast\n"
        "resources:\n"
        "  output: mine.log\n"
        "  partiton: gpu\n"
        "  time: 45000000:99\n"
        "data:\n"
        "  train_file: nowhere.jsonl\n"
        "colour: red\n"
    )
    error = refusal(file, "training.seed=x", "resources.nodes=0")
    assert error.exit_code == 2
    assert sorted(error.message.splitlines()) == sorted(
        [
            f"{file}:2: training.sead is not a setting",
            f"{file}:3: training.learning_rate is 'fast': input should be a valid number, unable "
            "to parse string as a number",
            f"{file}:5: output is set by the toolkit (logs lie in the run's directory)",
            f"{file}:6: partiton is not an option of sbatch; did you mean partition?",
            f"{file}:9: data.train_file nowhere.jsonl is not a file",
            f"{file}:10: colour is not a setting",
            "--set training.seed: training.seed is 'x': input should be a valid integer, unable "
            "to parse string as an integer",
            "--set resources.nodes: resources.nodes is '0': input should be greater than 0",
            "data.validation_file is not set",
        ]
    )
    assert error.hint
    assert error.hint.splitlines()[0] == "did you mean seed?"


@pytest.mark.parametrize(
    ("assignment", "message", "hint"),
    [
        (
            "training.sed=1",
            "--set training.sed: training.sed is not a setting",
            "did you mean seed?",
        ),
        ("modle.dtype=x", "--set modle.dtype: modle is not a setting", "did you mean model?"),
        (
            "foo.bar=1",
            "--set foo.bar: foo is not a setting",
            "the settings at the top are approach, name, model, data, lora, training, packing, "
            "selection, accelerate, resources, requeue",
        ),
        (
            "lora.rank=1",
            "--set lora.rank: lora.rank is not a setting",
            "the settings of lora are r, lora_alpha, lora_dropout, target_modules",
        ),
        ("training=3", "--set training: training is '3': input should be a valid dictionary", None),
        ("resources=3", "--set resources: resources is '3': input should be a valid dict", None),
        ("model=[]", "--set model: model is []: input should be a valid dictionary", None),
        ("accelerate=null", "--set accelerate: accelerate is None: input should be a valid", None),
        ("training.seed.x=1", "--set training.seed.x: training.seed is {'x': '1'}: input", None),
        ("resources.array=0-3", "--set resources.array: array is set by the toolkit (a run", None),
        ("resources={output: x}", "--set resources: output is set by the toolkit", None),
        ("resources.output.x=1", "--set resources.output.x: output is set by the toolkit", None),
        ("resources.job-name=x", "--set resources.job-name: job_name is set by the toolkit", None),
        ("approach=encoder", "--set approach: approach encoder contradicts --app", ONE_APPROACH),
        ("approach=", "--set approach: approach None contradicts --approach gen", ONE_APPROACH),
    ],
)
def test_a_wrong_assignment(assignment: str, message: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        demo_config("generative", assignment)
    assert message in caught.value.message
    assert caught.value.hint == hint


def test_an_option_that_no_list_knows_goes_to_sbatch() -> None:
    config = demo_config("encoder", "resources.zz-new-in-30=x", "resources.mail-type=END")
    assert config.resources.extra == {"zz_new_in_30": "x", "mail_type": "END"}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("resources: {account: 5349}", 'put the value of resources.account in quotes: "..."'),
        ("resources: {time: 90}", 'put the value of resources.time in quotes: "..."'),
        ("name: 7", 'put the value of name in quotes: "..."'),
        ("name: yes", 'put the value of name in quotes: "..."'),
    ],
)
def test_a_number_in_place_of_a_word_is_explained(file: Path, text: str, hint: str) -> None:
    error = refusal(with_demo(file, text))
    assert error.hint == hint
    assert error.message.startswith(f"{file}:2: ")


def test_what_yaml_1_1_misreads_is_read_right(file: Path) -> None:
    text = (
        "training: {learning_rate: 2e-5}\n"
        "resources: {time: 12:30:00, account: 012345, deadline: 2030-01-02, time_min: 1:00:00}\n"
    )
    config = resolved(with_demo(file, text))
    assert config.training.learning_rate == 2e-5
    assert (config.resources.minutes, config.resources.account) == (750, "012345")
    assert config.resources.extra == {"deadline": "2030-01-02", "time_min": "1:00:00"}


@pytest.mark.parametrize("value", ["~nobody-of-that-name/x", "~", "/", ".", "/dev/null/x", "a\0b"])
@pytest.mark.parametrize("key", ["train_file", "validation_file", "test_file"])
def test_a_data_file_that_is_none_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        demo_config("encoder", f"data.{key}={value}")
    assert caught.value.message == f"--set data.{key}: data.{key} {value} is not a file"


def test_data_files_are_absolute_and_know_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it's $(mine).jsonl").touch()
    for given in ("~/it's $(mine).jsonl", "it's $(mine).jsonl"):
        found = demo_config("encoder", f"data.train_file={given}").data.train_file
        assert found == tmp_path / "it's $(mine).jsonl"


def test_without_data_the_demo_is_hinted_at() -> None:
    with pytest.raises(ConfigError) as caught:
        run_config("encoder", site=Site())
    assert caught.value.message.splitlines() == [
        "data.train_file is not set",
        "data.validation_file is not set",
    ]
    assert caught.value.hint
    assert "--dry-run" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "is not a file (shipped: zero0, zero1, zero2, zero2-offload, zero3, zero3-offload)"),
        (b"{", "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"[1]", "holds no JSON object"),
        (b'{"train_batch_size": 8}', "sets train_batch_size to 8: it must be auto"),
        (b"[" * 100_000, "is not JSON: "),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_wrong_deepspeed_file_is_named(file: Path, content: bytes | None, fault: str) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        demo_config("generative", f"accelerate.deepspeed_config_file={file}")
    start = f"--set accelerate.deepspeed_config_file: accelerate.deepspeed_config_file {file} "
    assert caught.value.message.startswith(start + fault)


def test_a_deepspeed_file_of_ones_own(file: Path) -> None:
    file.write_text('{"zero_optimization": {"stage": 1}}')
    config = demo_config("generative", f"accelerate.deepspeed_config_file={file}")
    assert deepspeed_file(str(config.accelerate.deepspeed_config_file)) == file
    assert deepspeed_file("zero3") == resource("configs", "deepspeed", "zero3.json")


def test_the_site_file_is_the_one_that_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site_settings() == Site()
    file.write_text("modules: [cuda/12.4]\nresources: {mail-type: END, time: 12:00:00}\n")
    monkeypatch.setenv("IACFILTER_SITE", str(file))
    site = site_settings()
    assert site.modules == ("cuda/12.4",)
    config = demo_config("encoder", site=site)
    assert config.resources.time == "12:00:00"
    assert config.resources.extra == {"mail_type": "END"}


def test_a_wrong_option_of_the_site_is_named(file: Path) -> None:
    site = Site(resources={"partiton": "gpu"})
    with pytest.raises(ConfigError, match=r"\$IACFILTER_SITE resources.partiton: partiton is not"):
        demo_config("encoder", site=site)
