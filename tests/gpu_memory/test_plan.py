"""iacfilter_hpc.gpu_memory.plan: how needs fit, and that what the searches find really fits."""

from __future__ import annotations

import pytest

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.gpu_memory.architecture import read_architecture
from iacfilter_hpc.gpu_memory.changes import BATCH, Change, step_batches
from iacfilter_hpc.gpu_memory.estimate import memory
from iacfilter_hpc.gpu_memory.gpus import COMMON, GpuMemory
from iacfilter_hpc.gpu_memory.plan import (
    Estimate,
    fit_of,
    largest_batch,
    smallest_change,
    smallest_gpu,
    smallest_stage,
    step_batch,
)
from iacfilter_hpc.gpu_memory.recorded_peaks import UNCORRECTED, Correction
from iacfilter_hpc.gpu_memory.settings import memory_settings
from iacfilter_hpc.runs.layout import resource
from tests.made_runs import demo_config

SHIPPED = resource("configs", "architectures")
ARCHITECTURES = {
    "generative": read_architecture(SHIPPED / "codellama--CodeLlama-7b-hf.json"),
    "encoder": read_architecture(SHIPPED / "microsoft--codebert-base.json"),
}
GPUS = [GpuMemory(None, size) for size in COMMON]
APPROACHES = ("generative", "encoder")


def estimate(config: RunConfig, correction: Correction = UNCORRECTED) -> Estimate:
    return Estimate(ARCHITECTURES[config.approach], correction)


@pytest.mark.parametrize(
    ("total", "fit"),
    [(0, "fits"), (85, "fits"), (86, "tight"), (95, "tight"), (96, "will not fit")],
)
def test_a_fit(total: int, fit: str) -> None:
    assert fit_of(total * 10**7, GpuMemory(None, 1)) == fit


@pytest.mark.parametrize("approach", APPROACHES)
def test_more_samples_need_more(approach: str) -> None:
    config = demo_config(approach)
    totals = [estimate(config).total(Change({BATCH: n}).applied(config)) for n in range(1, 60)]
    assert totals == sorted(set(totals))


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: str(gpu.gigabytes))
@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_largest_batch_fits_and_the_next_does_not(
    approach: str, checkpointing: bool, gpu: GpuMemory
) -> None:
    config = demo_config(approach, f"training.activation_checkpointing={checkpointing}")
    found = estimate(config)
    largest = largest_batch(found, config, gpu)
    assert not found.fits(Change({BATCH: largest + 1}).applied(config), gpu)
    if largest:
        assert found.fits(Change({BATCH: largest}).applied(config), gpu)
    else:
        assert approach == "generative" and gpu.gigabytes <= (16 if checkpointing else 24)


@pytest.mark.parametrize("gpus", [1, 4, 16])
def test_the_smallest_stage_fits_and_the_one_below_does_not(gpus: int) -> None:
    config = demo_config("generative", f"resources.gpus={gpus}")
    found = {gpu.gigabytes: smallest_stage(estimate(config), config, gpu) for gpu in GPUS}
    # ZeRO-3 divides nothing on one GPU, and has the gathered weights besides
    assert found[16] == (None if gpus == 1 else 3)
    assert all(found[size] == 0 for size in COMMON[1:])


def test_the_smallest_card() -> None:
    assert smallest_gpu(10**9) == GpuMemory(None, 16)
    assert smallest_gpu(int(0.85 * 80e9)) == GpuMemory(None, 80)
    assert smallest_gpu(10**12) is None


@pytest.mark.parametrize(
    ("approach", "settings", "gigabytes", "flags"),
    [
        (
            "generative",
            ["training.activation_checkpointing=false"],
            24,
            "training.activation_checkpointing=true",
        ),
        (
            "generative",
            ["training.per_device_train_batch_size=32", "training.gradient_accumulation_steps=1"],
            24,
            "training.per_device_train_batch_size=8 training.gradient_accumulation_steps=4",
        ),
        ("generative", [], 16, "accelerate.deepspeed_config_file=zero3-offload"),
        ("generative", ["resources.gpus=4"], 16, "accelerate.deepspeed_config_file=zero3"),
        (
            "generative",
            ["training.activation_checkpointing=false", "resources.gpus=4"],
            12,
            "training.activation_checkpointing=true training.per_device_train_batch_size=1 "
            "training.gradient_accumulation_steps=8 accelerate.deepspeed_config_file=zero3",
        ),
        (
            "encoder",
            ["training.per_device_train_batch_size=128"],
            16,
            "training.activation_checkpointing=true",
        ),
    ],
)
def test_the_smallest_change(
    approach: str, settings: list[str], gigabytes: float, flags: str
) -> None:
    config, gpu = demo_config(approach, *settings), GpuMemory(None, gigabytes)
    found = smallest_change(estimate(config), config, gpu)
    assert found is not None
    assert found.flags() == " ".join(f"--set {word}" for word in flags.split())
    changed = found.applied(config)
    assert estimate(config).fits(changed, gpu)
    assert changed.global_batch_size == config.global_batch_size
    # it is a configuration that a submission takes
    assert RunConfig.model_validate(changed.as_dict()) == changed


def test_where_no_change_helps() -> None:
    config = demo_config("generative")
    assert smallest_change(estimate(config), config, GpuMemory(None, 2)) is None


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: str(gpu.gigabytes))
def test_batches_of_a_step_keep_its_samples(approach: str, gpu: GpuMemory) -> None:
    config = demo_config(approach, "training.gradient_accumulation_steps=15")
    sizes = [change.batch for change in step_batches(config)]
    assert sizes == [30, 15, 10, 6, 5, 3, 2, 1]
    change = step_batch(estimate(config), config, gpu)
    if change is None:
        assert (approach, gpu.gigabytes) == ("generative", 16)
        return
    changed = change.applied(config)
    assert changed.global_batch_size == config.global_batch_size
    assert estimate(config).fits(changed, gpu)
    assert change.batch <= largest_batch(estimate(config), config, gpu)


def test_a_budget_of_tokens_gives_way_to_samples() -> None:
    """It would overrule any number of samples at once."""
    config, gpu = demo_config("generative", "packing.tokens_per_batch=4096"), GPUS[2]
    change = step_batch(estimate(config), config, gpu)
    assert change and change.settings["packing.tokens_per_batch"] is None
    assert change.applied(config).token_budget == change.batch * config.data.max_length
    assert "--set packing.tokens_per_batch=null" in change.flags()


def test_a_correction_is_of_what_depends_on_the_samples() -> None:
    config = demo_config("generative")
    need = memory(ARCHITECTURES["generative"], memory_settings(config))
    doubled = estimate(config, Correction(2.0, 3)).total(config)
    assert doubled - estimate(config).total(config) == need.activations + need.logits
