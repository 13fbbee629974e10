"""What a run computes in, chosen by what the GPU can do; no GPU is needed to choose."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, TrainingArguments

from iacfilter_hpc.config.schema import Model, RunConfig
from iacfilter_hpc.errors import IacfilterError, TrainingError
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.training.approaches.encoder import load_classifier
from iacfilter_hpc.training.approaches.generative import load_base
from iacfilter_hpc.training.approaches.loading import PLAIN, Loading, attention_of, loading_for
from iacfilter_hpc.training.approaches.lora import add_adapter
from iacfilter_hpc.training.arguments import training_arguments
from iacfilter_hpc.training.precision import Gpu, describe_precision, settle_precision
from iacfilter_hpc.training.run import train
from tests.training.settings import TRAINS, run_config

pytestmark = TRAINS

V100 = Gpu("V100", (7, 0))
A100 = Gpu("A100", (8, 0))
H100 = Gpu("H100", (9, 0))
MI250 = Gpu("MI250", (9, 0), is_nvidia=False)


def on_gpu(**settings: object) -> RunConfig:
    return run_config(
        "generative", **{"training__use_cpu": False, "resources__gpus": 2, **settings}
    )


@pytest.mark.parametrize(
    ("gpu", "asked", "tf32"),
    [
        (V100, None, None),
        (V100, False, False),
        (A100, None, True),
        (A100, False, False),
        (A100, True, True),
        (H100, None, True),
        (MI250, None, None),
        (MI250, False, False),
    ],
)
def test_tf32_is_on_where_the_gpu_has_it(gpu: Gpu, asked: bool | None, tf32: bool | None) -> None:
    assert settle_precision(on_gpu(training__tf32=asked), gpu).training.tf32 is tf32


def test_on_a_cpu_nothing_is_settled() -> None:
    for gpu in (None, H100):
        config = run_config("generative", training__bf16=True)
        assert settle_precision(config, gpu) == config


@pytest.mark.parametrize("gpu", [A100, H100, MI250], ids=lambda gpu: gpu.name)
def test_newer_gpus_have_all(gpu: Gpu) -> None:
    wanted = on_gpu(training__bf16=True, model__attn_implementation="flash_attention_2")
    assert settle_precision(wanted, gpu).training.bf16


def test_what_a_gpu_lacks_is_told_at_once() -> None:
    wanted = on_gpu(
        training__bf16=True,
        training__tf32=True,
        model__attn_implementation="flash_attention_2",
    )
    with pytest.raises(TrainingError) as caught:
        settle_precision(wanted, V100)
    assert caught.value.text().splitlines() == [
        "error: V100 has no bfloat16",
        "error: V100 has no TF32",
        "error: V100 has no FlashAttention 2",
        "hint: training.bf16=false",
        "hint: training.tf32=null",
        "hint: model.attn_implementation=sdpa",
    ]
    with pytest.raises(TrainingError, match="MI250 has no TF32"):
        settle_precision(on_gpu(training__tf32=True), MI250)


def test_a_gpu_that_is_not_there_is_told() -> None:
    with pytest.raises(TrainingError, match="no GPU is visible to this process"):
        settle_precision(on_gpu(), None)


def test_what_was_trained_in_4_bits_needs_a_gpu_to_go_on() -> None:
    config = on_gpu(model__quantization="nf4", model__dtype="bfloat16")
    training = config.training.model_copy(update={"use_cpu": True})
    with pytest.raises(TrainingError, match="nf4 needs a GPU"):
        settle_precision(config.model_copy(update={"training": training}), None)


def test_the_log_says_what_was_chosen() -> None:
    chosen = settle_precision(on_gpu(training__bf16=True), A100)
    assert describe_precision(chosen, "sdpa") == (
        "arithmetic: bfloat16, TF32 on, attention sdpa, optimizer adamw_torch_fused, not compiled"
    )
    other = on_gpu(
        training__bf16=True,
        training__tf32=False,
        training__optim="sgd",
        model__quantization="nf4",
        model__dtype="bfloat16",
    )
    assert describe_precision(other, "eager") == (
        "arithmetic: bfloat16, TF32 off, attention eager, optimizer sgd, not compiled, "
        "frozen weights nf4"
    )


def test_the_trainer_is_told(tmp_path: Path) -> None:
    """And without a word from the configuration it does what it does by itself."""
    usual = training_arguments(tmp_path, run_config("encoder").training)
    plain = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    for name in ("tf32", "optim", "torch_compile"):
        assert getattr(usual, name) == getattr(plain, name), name
    other = run_config("encoder", training__optim="sgd", training__tf32=False)
    args = training_arguments(tmp_path, other.training)
    assert (args.optim, args.tf32) == ("sgd", False)


@pytest.mark.parametrize("name", ["eager", "sdpa"])
def test_attention_is_what_was_asked_for(
    name: str, tiny_generative: Path, tiny_encoder: Path
) -> None:
    loading = Loading(attention=name)
    assert attention_of(load_base(tiny_generative, None, "float32", loading)) == name
    assert attention_of(load_classifier(tiny_encoder, None, "float32", loading)) == name
    assert attention_of(load_base(tiny_generative, None, "float32")) == "sdpa"


def test_weights_go_straight_to_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    model = run_config("generative").model
    assert loading_for(model, args) == PLAIN and PLAIN.device_map is None
    gpu = torch.device("cuda", 1)
    monkeypatch.setattr(TrainingArguments, "device", gpu)
    assert loading_for(model, args).device_map == {"": gpu}
    monkeypatch.setattr(
        "iacfilter_hpc.training.approaches.loading.is_deepspeed_zero3_enabled", lambda: True
    )
    assert loading_for(model, args) == PLAIN


def test_one_device_leaves_no_trace_in_the_model(tiny_generative: Path) -> None:
    """By hf_device_map the Trainer and accelerate know a model that is split over devices."""
    base = load_base(tiny_generative, None, "float32", Loading(torch.device("cpu")))
    assert not hasattr(base, "hf_device_map")
    twin = AutoModelForCausalLM.from_pretrained(tiny_generative)
    for name, weights in base.state_dict().items():
        assert torch.equal(weights, twin.state_dict()[name])


def test_nf4_is_qloras() -> None:
    model = Model(
        model_name_or_path="x",
        revision=None,
        dtype="bfloat16",
        attn_implementation=None,
        quantization="nf4",
    )
    made = Loading(quantization=model.quantization).quantization_config
    assert made is not None and PLAIN.quantization_config is None
    assert made.load_in_4bit and made.bnb_4bit_quant_type == "nf4"
    assert made.bnb_4bit_use_double_quant
    assert made.bnb_4bit_compute_dtype == made.bnb_4bit_quant_storage == torch.bfloat16


def test_beside_4_bits_norms_are_float32(tiny_generative: Path) -> None:
    base = load_base(tiny_generative, None, "bfloat16")
    base.is_loaded_in_4bit = True
    config = run_config("generative")
    assert config.lora is not None
    model = add_adapter(base, config.lora, config.training)
    kinds = {name: weights.dtype for name, weights in model.named_parameters()}
    assert all(kind == torch.float32 for name, kind in kinds.items() if "norm" in name)
    trained = {name for name, weights in model.named_parameters() if weights.requires_grad}
    assert trained and all("lora_" in name for name in trained)


def test_a_missing_package_ends_it_before_any_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = on_gpu(model__quantization="nf4", model__dtype="bfloat16")
    with pytest.raises(IacfilterError, match="needs the package bitsandbytes"):
        train(RunLayout(tmp_path / "run"), config)
    assert not list(tmp_path.iterdir())
