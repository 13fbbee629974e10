"""iacfilter_hpc.config.schema and configs/: every shipped file, and what fits together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from iacfilter_hpc.config.deepspeed import deepspeed_file
from iacfilter_hpc.config.layers import from_file
from iacfilter_hpc.config.resolve import as_yaml, run_config
from iacfilter_hpc.config.schema import LATER, Lora, RunConfig, Training, load_config, read_config
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.runs.layout import RunLayout, resource
from tests.made_runs import demo_config

CONFIGS = sorted(resource("configs").glob("*.yaml"))
DEEPSPEED = sorted(resource("configs", "deepspeed").glob("*.json"))
APPROACHES = ("encoder", "generative")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_yaml_is_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    layer = from_file(path)
    # the jobs read what submission wrote with PyYAML's own loader: both must agree on these files
    assert layer.values == yaml.safe_load(text)
    if path.stem == "site.example":
        assert Site.model_validate(layer.values) == Site()
        assert set(layer.values) == set(Site.model_fields)
    elif path.stem != "accelerate":
        approach = path.stem.removesuffix("-tiny")
        config = demo_config(approach, *_assignments(layer.values))
        assert config.approach == approach


def _assignments(values: dict[str, object], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _assignments(value, f"{prefix}{key}.")
        elif not key.endswith("_file") or "deepspeed" in key:
            yield f"{prefix}{key}={json.dumps(value).strip(chr(34))}"


@pytest.mark.parametrize("approach", APPROACHES)
def test_every_setting_has_its_default_in_the_yaml(approach: str) -> None:
    written = from_file(resource("configs", f"{approach}.yaml")).values
    # an approach without an adapter says so with one null
    expected = {key: value for key, value in _settings(RunConfig).items() if key != "name"}
    if approach == "encoder":
        assert written["lora"] is None
        del written["lora"], expected["lora"]
    assert _keys(written) == _keys(expected)


def test_no_setting_but_the_name_has_a_default_in_the_code() -> None:
    assert list(_defaults(RunConfig, "")) == ["name"]


def _settings(model: type[BaseModel]) -> dict[str, object]:
    return {
        name: _settings(s) if (s := _section(model, name)) else 0 for name in model.model_fields
    }


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    annotation = model.model_fields[name].annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _defaults(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if not field.is_required():
            yield f"{prefix}{name}"
        if section := _section(model, name):
            yield from _defaults(section, f"{prefix}{name}.")


def _keys(values: dict[str, object]) -> dict[str, object]:
    return {k: _keys(v) if isinstance(v, dict) else 0 for k, v in sorted(values.items())}


@pytest.mark.parametrize("path", DEEPSPEED, ids=lambda path: path.stem)
def test_every_deepspeed_file_is_json_and_reached_by_name(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert deepspeed_file(path.stem) == path
    stage, _, offload = path.stem.removeprefix("zero").partition("-")
    assert document["zero_optimization"]["stage"] == int(stage)
    assert ("offload" in json.dumps(document)) == bool(offload)
    config = demo_config("generative", f"accelerate.deepspeed_config_file={path.stem}")
    assert config.accelerate.deepspeed_config_file == path.stem


def test_there_is_a_deepspeed_file_for_each_stage() -> None:
    names = {path.stem for path in DEEPSPEED}
    assert names >= {"zero0", "zero1", "zero2", "zero3", "zero2-offload", "zero3-offload"}


@pytest.mark.train
def test_training_settings_are_fields_of_training_arguments() -> None:
    transformers = pytest.importorskip("transformers")
    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    # transformers 5 keeps no gradient_checkpointing: its word for it now is this one
    assert set(Training.model_fields) - {"activation_checkpointing"} <= known
    assert {"activation_checkpointing", "gradient_checkpointing"} & known


@pytest.mark.train
def test_lora_settings_are_fields_of_lora_config() -> None:
    peft = pytest.importorskip("peft")
    known = {field.name for field in dataclasses.fields(peft.LoraConfig)}
    assert set(Lora.model_fields) <= known


def refused(approach: str, *assignments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        demo_config(approach, *assignments)
    return caught.value.message


@pytest.mark.parametrize(
    ("approach", "assignments", "problem"),
    [
        ("encoder", ["resources.gpus=4"], "the encoder trains on one GPU of one node, not on --g"),
        ("encoder", ["resources.nodes=2"], "the encoder trains on one GPU of one node, not on --"),
        ("encoder", ["resources.gpus=0"], "--gpus 0 needs training.use_cpu=true"),
        ("encoder", ["accelerate.num_processes=2"], "the encoder trains in one process, not 2"),
        ("encoder", ["lora={r: 1, lora_alpha: 1, lora_dropout: 0, target_modules: q}"], "lora is"),
        ("encoder", ["accelerate.deepspeed_config_file=zero2"], "is for the generative approach"),
        ("encoder", ["data.input_fields=[]"], "data.input_fields needs at least one field"),
        ("encoder", ["data.input_fields=null"], "data.input_fields needs at least one field"),
        ("generative", ["lora=null"], "the generative approach needs a lora section"),
        ("encoder", ["model.quantization=nf4"], "is for the generative approach: an encoder trai"),
        (
            "encoder",
            ["training.torch_compile=true"],
            "torch_compile needs packing.attention=padded",
        ),
        (
            "generative",
            ["model.attn_implementation=sdpa", "packing.attention=segments"],
            "model.attn_implementation sdpa cannot take packed rows, which packing.attention "
            "segments makes",
        ),
        (
            "generative",
            ["model.quantization=nf4", "training.use_cpu=true"],
            "model.quantization is",
        ),
        ("generative", ["model.quantization=nf4", "model.dtype=float16"], "not float16"),
        (
            "generative",
            ["model.quantization=nf4", "training.torch_compile=true"],
            "does not go with",
        ),
        (
            "generative",
            ["training.tf32=true", "training.use_cpu=true"],
            "training.tf32 is for GPUs",
        ),
        (
            "encoder",
            ["model.attn_implementation=flash_attention_2", "training.use_cpu=true"],
            "model.attn_implementation flash_attention_2 is for GPUs",
        ),
        ("generative", ["data.input_fields=[content]"], "data.input_fields is for the encoder"),
        ("generative", ["resources.gpus=3", "resources.nodes=2"], "--gpus 3 cannot be shared eq"),
        ("generative", ["resources.nodes=2"], "--gpus 1 cannot be shared equally by --nodes 2"),
        (
            "generative",
            ["training.use_cpu=true", "accelerate.num_processes=1", "resources.nodes=2"],
            "1 process cannot be shared equally by --nodes 2",
        ),
        ("generative", ["resources.gpus=a100:3", "resources.nodes=2"], "--gpus 3 cannot be sha"),
        ("generative", ["accelerate.num_processes=3"], "num_processes 3 must equal --gpus 1"),
        (
            "generative",
            ["training.use_cpu=true", "accelerate.num_processes=3", "resources.nodes=2"],
            "3 processes cannot be shared equally by --nodes 2",
        ),
    ],
)
def test_what_does_not_fit_together(approach: str, assignments: list[str], problem: str) -> None:
    assert problem in refused(approach, *assignments)


@pytest.mark.parametrize(
    ("assignments", "processes", "batch"),
    [
        (["resources.gpus=1"], 1, 8),
        (["resources.gpus=4"], 4, 32),
        (["resources.gpus=8", "resources.nodes=2"], 8, 64),
        (["resources.gpus=a100:4", "resources.nodes=4"], 4, 32),
        (["training.use_cpu=true", "accelerate.num_processes=2", "resources.nodes=2"], 2, 16),
        (["training.use_cpu=true", "resources.gpus=0"], 1, 8),
        (["training.per_device_train_batch_size=3", "resources.gpus=2"], 2, 24),
    ],
)
def test_processes_and_the_global_batch(assignments: list[str], processes: int, batch: int) -> None:
    config = demo_config("generative", *assignments)
    assert (config.num_processes, config.global_batch_size) == (processes, batch)


@pytest.mark.parametrize(
    ("key", "values"),
    {
        "name": ["-a", ".a", "''", "a b", "a/b", "a\nb", "a%b", "ä", "x" * 65, "a;b", "$(id)", "'"],
        "model.model_name_or_path": ["null", "\ud800"],
        "model.dtype": ["int8", "null"],
        "data.max_length": ["15", "-1", "many", "1.5"],
        "data.input_fields": ["[smell, colour]", "smell"],
        "training.num_train_epochs": ["0", "-1", "nan", "inf", "x"],
        "training.learning_rate": ["0", "-1e-5", "nan", "1e999", "fast"],
        "training.per_device_train_batch_size": ["0", "-2", "2.5", "two", "null"],
        "training.lr_scheduler_type": ["quick"],
        "training.warmup_steps": ["-0.1", "nan"],
        "training.seed": ["-1", "4294967296", "1.5"],
        "training.bf16": ["maybe", "2", "null"],
        "training.tf32": ["maybe", "2"],
        "training.optim": ["adam", "null", "adamw_8bit"],
        "training.torch_compile": ["null", "inductor"],
        "model.attn_implementation": ["flash", "flash_attention_9", "[sdpa]"],
        "model.quantization": ["fp4", "int8", "true"],
        "selection.class_weight": ["[0, 1]", "[1]", "[1, 2, 3]", "[1, .nan]", "heavy"],
        "selection.early_stopping_patience": ["0", "-1"],
        "selection.confidence_weights": ["null", "maybe", "0.5"],
        "lora.r": ["0", "x"],
        "lora.lora_dropout": ["1", "-0.1"],
        "lora.target_modules": ["null", "[1]"],
        "resources.time": ["0", "soon", "null"],
        "resources.gpus": ["-1", "a100"],
        "resources.mem": ["a\nb"],
    }.items(),
)
def test_a_value_out_of_range_names_its_setting(key: str, values: list[str]) -> None:
    for value in values:
        assert f"--set {key}: " in refused("generative", f"{key}={value}"), value


def test_a_configuration_is_frozen() -> None:
    config = demo_config("encoder")
    with pytest.raises(ValidationError, match="frozen"):
        config.training.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize("approach", APPROACHES)
def test_what_is_written_is_read_back(approach: str, tmp_path: Path) -> None:
    config = demo_config(
        approach,
        "name=a.b-c",
        "resources.comment=a: 'b' \"c\" # d \u00e4",
        "resources.account=012345",
        "resources.begin=12:30:00",
        "resources.exclusive=true",
        "training.learning_rate=2e-5",
        "selection.class_weight=[1, 2.5]",
    )
    layout = RunLayout(tmp_path)
    layout.config.write_text(as_yaml(config), encoding="utf-8")
    assert load_config(layout) == config
    # and it can be given to another submission
    again = run_config(approach, site=Site(), config_file=layout.config)
    assert again == config


def test_all_that_a_cpu_lacks_is_told_at_once() -> None:
    told = refused(
        "generative",
        "training.use_cpu=true",
        "training.tf32=true",
        "model.attn_implementation=flash_attention_2",
        "model.quantization=nf4",
        "model.dtype=float32",
        "training.torch_compile=true",
    )
    for name in ("training.tf32", "flash_attention_2", "model.quantization"):
        assert f"{name} is for GPUs" in told
    assert "model.quantization needs model.dtype bfloat16, not float32" in told
    assert "training.torch_compile does not go with model.quantization" in told


@pytest.mark.parametrize("stage", ["zero2", "zero3", "zero3-offload"])
def test_nf4_goes_with_every_stage(stage: str) -> None:
    """PEFT 0.21 says so of ZeRO-3 too, if the 4-bit numbers are stored in the model's dtype."""
    config = demo_config(
        "generative", "model.quantization=nf4", f"accelerate.deepspeed_config_file={stage}"
    )
    assert config.model.quantization == "nf4"


@pytest.mark.parametrize("approach", APPROACHES)
def test_a_run_of_an_earlier_version_goes_on_as_it_was(approach: str, tmp_path: Path) -> None:
    config, layout = demo_config(approach), RunLayout(tmp_path)
    written = config.as_dict()
    for section, settings in LATER.items():
        for name in settings:
            del written[section][name]
    layout.config.write_text(yaml.safe_dump(written), encoding="utf-8")
    found = load_config(layout)
    # today's default is TF32 where a GPU has it
    assert found.training == config.training.model_copy(update={"tf32": False})
    assert found.model == config.model


@pytest.mark.parametrize("removed", ["flex", "mask"])
def test_an_attention_that_was_removed(
    removed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A new run is refused; one that an earlier version made is read, and its reader is warned."""
    told = refused("generative", f"packing.attention={removed}")
    assert told == (
        f"--set packing.attention: packing.attention is '{removed}': it was removed; auto "
        "computes the same"
    )
    config = demo_config("generative", "packing.attention=auto")
    layout = RunLayout(tmp_path)
    written = config.as_dict()
    written["packing"]["attention"] = removed
    layout.config.write_text(yaml.safe_dump(written), encoding="utf-8")
    assert load_config(layout) == config
    (record,) = caplog.records
    assert (record.levelname, f"packing.attention={removed} was removed" in record.message) == (
        "WARNING",
        True,
    )


def test_a_named_attention_packs_nothing() -> None:
    named = demo_config("generative", "model.attn_implementation=sdpa")
    assert (named.packing.attention, named.packed_attention) == ("auto", "padded")
    assert demo_config("generative").packed_attention == "auto"


@pytest.mark.parametrize("text", ["", "[]", "model: 3\ntraining: []\n", "a\0b", "approach: x\n"])
def test_a_damaged_configuration_is_refused(text: str, tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    layout.config.write_text(text, encoding="utf-8")
    with pytest.raises((ValidationError, yaml.YAMLError)):
        load_config(layout)
    # a person gets no traceback
    with pytest.raises(ConfigError, match=str(layout.config)):
        read_config(layout)
