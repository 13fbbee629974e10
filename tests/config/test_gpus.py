"""iacfilter_hpc.config.gpus: the one type and the one parser of `4` and `a100:4`."""

from __future__ import annotations

import pytest
import yaml

from iacfilter_hpc.config.gpus import Gpus
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.config.schema import RunConfig
from tests.made_runs import demo_config


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("0", Gpus(0)),
        ("4", Gpus(4)),
        ("a100:4", Gpus(4, "a100")),
        ("nvidia_a100_80gb-x.1:16", Gpus(16, "nvidia_a100_80gb-x.1")),
    ],
)
def test_text_is_parsed_and_written_alike(text: str, gpus: Gpus) -> None:
    assert Gpus.parse(text) == gpus
    assert str(gpus) == text
    assert bool(gpus) == (gpus.count > 0)


def test_a_leading_zero_is_no_part_of_a_number() -> None:
    assert str(Gpus.parse("a100:04")) == "a100:4"


@pytest.mark.parametrize("text", ["", "a100", "a100:", ":4", "a:b:4", "4 ", "-1", "1.5", "a100:²"])
def test_what_is_no_gpus_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a number, or TYPE:NUMBER such as a100:4"):
        Gpus.parse(text)


def test_another_number_is_of_the_same_type() -> None:
    assert Gpus(4, "a100").counting(1) == Gpus(1, "a100")
    assert Gpus(4).counting(0) == Gpus(0)


@pytest.mark.parametrize(("written", "read"), [("4", 4), ("a100:4", "a100:4")])
def test_files_keep_the_form_that_sbatch_has(written: str, read: int | str) -> None:
    config = demo_config("generative", f"resources.gpus={written}")
    assert config.as_dict()["resources"]["gpus"] == read
    assert yaml.safe_load(as_yaml(config))["resources"]["gpus"] == read
    assert RunConfig.model_validate(config.as_dict()) == config
