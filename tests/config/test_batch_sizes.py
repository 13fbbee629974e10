"""iacfilter_hpc.config.batch_sizes: the numbers of a run's batches, and their one line."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from iacfilter_hpc.config.batch_sizes import batch_sizes
from tests.made_runs import demo_config

BATCH = "training.per_device_train_batch_size"
ACCUMULATION = "training.gradient_accumulation_steps"


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        # samples per step, samples at once, tokens at once, accumulation steps, processes
        ([], (32, 2, 1024, 4, 4)),
        ([f"{BATCH}=8", f"{ACCUMULATION}=1"], (32, 8, 4096, 1, 4)),
        (["resources.gpus=a100:8", "resources.nodes=2"], (64, 2, 1024, 4, 8)),
        (["data.max_length=100"], (32, 2, 200, 4, 4)),
        # a budget of its own divides the same step otherwise
        (["packing.tokens_per_batch=2048"], (32, 4, 2048, 2, 4)),
        (["packing.tokens_per_batch=1600"], (32, 3, 1600, 3, 4)),
        (["packing.tokens_per_batch=9999"], (32, 19, 9999, 1, 4)),
        # a sample is never divided, whatever the budget
        (["packing.tokens_per_batch=100"], (32, 1, 512, 8, 4)),
    ],
)
def test_the_numbers(assignments: list[str], expected: tuple[int, ...]) -> None:
    config = demo_config("generative", "resources.gpus=4", *assignments)
    found = batch_sizes(config)
    assert astuple(found) == expected
    assert found.samples_per_step == config.global_batch_size
    if config.packing.tokens_per_batch is None:
        assert found.samples_at_once == config.training.per_device_train_batch_size
        assert found.accumulation_steps == config.training.gradient_accumulation_steps


def test_the_line() -> None:
    several = demo_config("generative", "resources.gpus=8")
    assert batch_sizes(several).describe() == (
        "64 samples per step on 8 devices: 2 samples at once (1024 tokens at once), "
        "at most 4 accumulation steps"
    )
    single = demo_config("encoder", f"{BATCH}=1", f"{ACCUMULATION}=1")
    assert batch_sizes(single).describe() == (
        "1 sample per step on 1 device: 1 sample at once (256 tokens at once), 1 accumulation step"
    )
