"""iacfilter_hpc.runs.provenance: what a run notes down, and the key that tells equal runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from iacfilter_hpc import __version__
from iacfilter_hpc.config.schema import RunConfig, load_config
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.launch.run_record import describe
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.runs.tree import create_run
from tests.made_runs import demo_config

DATA = {"train_file": "a" * 64, "validation_file": "b" * 64}


def key(models: Path, config: RunConfig, name: str, data: dict[str, str] | None = None) -> str:
    layout = create_run(models, config.approach, name)
    describe(layout, config, data or DATA)
    return records.read_record(layout).key


def test_what_is_noted(models: Path) -> None:
    config = demo_config("generative", "resources.gpus=a100:4", "resources.nodes=2")
    layout = create_run(models, "generative", "mine")
    describe(layout, config, DATA)
    record = records.read_record(layout)
    assert (record.run, record.approach, record.gpus, record.nodes) == ("mine", "generative", 4, 2)
    assert (record.num_processes, record.global_batch_size) == (4, 32)
    assert (record.data_sha256, record.argv) == (DATA, sys.argv)
    assert record.versions["iacfilter_hpc"] == __version__
    assert record.versions["submitit"].startswith("1.5")
    assert load_config(layout) == config.model_copy(update={"name": "mine"})
    shipped = resource("configs", "deepspeed", "zero2.json").read_text()
    assert json.loads(layout.deepspeed.read_text()) == json.loads(shipped)


def test_an_encoder_has_no_deepspeed_file_and_a_cpu_run_no_gpus(models: Path) -> None:
    layout = create_run(models, "encoder", "mine")
    describe(layout, demo_config("encoder", "training.use_cpu=true", "resources.gpus=0"), DATA)
    assert not layout.deepspeed.exists()
    assert records.read_record(layout).gpus == 0


def test_the_key_is_of_what_decides_the_result(models: Path, tmp_path: Path) -> None:
    first = key(models, demo_config("encoder"), "first")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(resource("configs", "demo", "train.jsonl").read_bytes())
    same = {
        "again": demo_config("encoder"),
        "named": demo_config("encoder", "name=x"),
        "resources": demo_config("encoder", "resources.mem=1G", "resources.partition=p"),
        "path": demo_config("encoder", f"data.train_file={copy}"),
    }
    assert {name: key(models, config, name) for name, config in same.items()} == dict.fromkeys(
        same, first
    )
    different = {
        "seed": demo_config("encoder", "training.seed=43"),
        "model": demo_config("encoder", "model.model_name_or_path=x"),
        "fields": demo_config("encoder", "data.input_fields=[smell]"),
    }
    keys = [key(models, config, name) for name, config in different.items()]
    keys.append(key(models, demo_config("encoder"), "data", {**DATA, "train_file": "c" * 64}))
    assert len({first, *keys}) == 5


def test_an_adapter_s_deepspeed_settings_decide_the_result(models: Path, tmp_path: Path) -> None:
    """What is in the file, not where it is."""
    copy = tmp_path / "mine.json"
    copy.write_bytes(resource("configs", "deepspeed", "zero3.json").read_bytes())
    keys = [
        key(models, demo_config("generative", f"accelerate.deepspeed_config_file={given}"), name)
        for name, given in (("a", "zero2"), ("b", "zero3"), ("c", copy))
    ]
    assert keys[0] != keys[1] == keys[2]


def test_a_full_record_that_cannot_be_written_is_named(models: Path) -> None:
    layout = create_run(models, "encoder", "mine")
    layout.record.mkdir()
    with pytest.raises(IacfilterError, match=r"run\.json cannot be written: Is a directory"):
        describe(layout, demo_config("encoder"), DATA)
