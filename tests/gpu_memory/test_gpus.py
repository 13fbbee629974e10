"""iacfilter_hpc.gpu_memory.gpus: how much memory a GPU has, and when that is not known."""

from __future__ import annotations

import pytest

from iacfilter_hpc.gpu_memory.gpus import COMMON, KNOWN, gpu_memory_of
from tests.made_runs import demo_config


@pytest.mark.parametrize(
    ("gpus", "told", "gigabytes"),
    [
        ("4", {}, None),
        ("4", {"default": 40}, 40),
        ("4", {"a100": 80}, None),
        ("a100:4", {}, None),
        ("v100:4", {}, None),
        ("a100:4", {"default": 40}, None),
        ("a100:4", {"a100": 80, "default": 40}, 80),
        ("A100:4", {"a100": 80}, 80),
        ("a100-80:4", {"a100_80": 80}, 80),
        ("h100:4", {}, 80),
        ("h100:4", {"h100": 94}, 94),
        ("H200:4", {}, 141),
        ("tesla_t4:1", {}, 16),
        ("nvidia_rtx_a6000:1", {}, 48),
        ("nvidia_geforce_rtx_4090:1", {}, 24),
        ("nvidia_a100-sxm4-80gb:2", {}, 80),
        ("a100_3g.20gb:1", {}, 20),
        ("gpu:4", {}, None),
    ],
)
def test_a_card(gpus: str, told: dict[str, float], gigabytes: float | None) -> None:
    config = demo_config("generative", f"resources.gpus={gpus}")
    found = gpu_memory_of(config.resources, told)
    assert (None if found is None else found.gigabytes) == gigabytes
    if found is not None:
        assert found.size == found.gigabytes * 10**9


def test_ambiguous_types_are_not_in_the_table() -> None:
    assert not {"a100", "v100", "p100", "rtx6000", "gh200"} & set(KNOWN)
    assert list(COMMON) == sorted(COMMON)
