"""iacfilter_hpc.gpu_memory.estimate against what autograd really keeps, on a CPU.

Three things differ there from a GPU, and are made alike: dropout keeps a mask of 1 byte
(native_dropout), attention has no dropout (with it the CPU keeps whole attention maps), and
DeepSpeed's cast to 16 bits is made by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.gpu_memory.architecture import DecoderShapes, EncoderShapes
from iacfilter_hpc.gpu_memory.estimate import activations, saved
from iacfilter_hpc.gpu_memory.settings import memory_settings
from tests.made_runs import demo_config
from tests.training.settings import TRAINS

pytestmark = TRAINS

BATCH, LENGTH = 2, 96
EXACT = 0.02
"""Relative difference that may be: what stands before and after the layers is counted roughly."""
PRECISIONS = {
    "cast by DeepSpeed": ("model.dtype=float32", "training.bf16=true"),
    "autocast": ("accelerate.deepspeed_config_file=null", "training.bf16=true"),
    "16 bits under 32": ("accelerate.deepspeed_config_file=null", "training.bf16=false"),
    "32 bits": ("model.dtype=float32", "training.bf16=false"),
}
SIZES = (
    f"training.per_device_train_batch_size={BATCH}",
    f"data.max_length={LENGTH}",
)


@pytest.fixture(autouse=True)
def masks_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        return torch.native_dropout(x, p, True)[0] if training and p else x

    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)


def decoder(kv_heads: int) -> DecoderShapes:
    return DecoderShapes(
        hidden=256,
        intermediate=688,
        layers=4,
        heads=4,
        kv_heads=kv_heads,
        head_dim=64,
        vocabulary=500,
        is_tied=False,
        qkv_bias=False,
        output_bias=False,
        mlp_bias=False,
        has_head_norms=False,
    )


ENCODER = EncoderShapes(
    hidden=256, intermediate=1024, layers=4, heads=4, vocabulary=500, positions=514, types=1
)


@pytest.mark.parametrize("targets", ["all-linear", "[q_proj, v_proj]"])
@pytest.mark.parametrize("dropout", [0.05, 0.0])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_llama_with_lora(precision: str, checkpointing: bool, dropout: float, targets: str) -> None:
    config = demo_config(
        "generative",
        *SIZES,
        *PRECISIONS[precision],
        f"training.activation_checkpointing={checkpointing}",
        f"lora.lora_dropout={dropout}",
        f"lora.target_modules={targets}",
    )
    planned = saved(decoder(kv_heads=2), memory_settings(config))
    found = _kept(*_llama(config, decoder(kv_heads=2)))
    assert planned == pytest.approx(found, rel=EXACT)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("bf16", [True, False])
def test_roberta(bf16: bool, checkpointing: bool) -> None:
    config = demo_config(
        "encoder",
        *SIZES,
        f"training.bf16={bf16}",
        f"training.activation_checkpointing={checkpointing}",
    )
    planned = saved(ENCODER, memory_settings(config))
    found = _kept(*_roberta(config))
    assert planned == pytest.approx(found, rel=0.15 if checkpointing else EXACT)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_beginnings_that_attention_repeats(checkpointing: bool) -> None:
    """The sampler lets a micro-batch have four times its tokens, written out."""
    keep = f"training.activation_checkpointing={checkpointing}"
    few = "training.per_device_eval_batch_size=1"
    shape = decoder(kv_heads=4)
    found = [
        activations(shape, memory_settings(demo_config("generative", *SIZES, keep, few, *more)))
        for more in (
            ["packing.attention=padded"],
            ["training.gradient_accumulation_steps=2"],
            ["training.gradient_accumulation_steps=4"],
            ["training.gradient_accumulation_steps=64"],
        )
    ]
    layers, each = (1 if checkpointing else shape.layers), BATCH * LENGTH
    repeated = layers * 2 * 2 * shape.queries * each
    assert found == [found[0], found[0] + repeated, *2 * [found[0] + 3 * repeated]]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("bf16", [True, False])
def test_the_peak_of_a_step(bf16: bool, checkpointing: bool) -> None:
    from tests.gpu_memory.watch import peak_of_a_step

    config = demo_config(
        "generative",
        *SIZES,
        f"training.bf16={bf16}",
        f"model.dtype={'bfloat16' if bf16 else 'float32'}",
        f"training.activation_checkpointing={checkpointing}",
        "packing.attention=padded",
        "training.per_device_eval_batch_size=1",
    )
    planned = activations(decoder(kv_heads=4), memory_settings(config))
    model, run = _llama(config, decoder(kv_heads=4))
    found = peak_of_a_step(model, lambda: run().logits.float().sum())
    assert 0.85 * planned < found < 1.05 * planned


def _llama(config: RunConfig, shape: DecoderShapes) -> tuple[Any, Callable[[], Any]]:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    assert config.lora is not None
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            use_cache=False,
        )
    )
    # as training does it with checkpointing; without, the first layer keeps less than the others
    base.enable_input_require_grads()
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora.r,
        lora_dropout=config.lora.lora_dropout,
        target_modules=config.lora.target_modules,
    )
    bf16, is_cast = config.training.bf16, config.accelerate.deepspeed_config_file is not None
    model = get_peft_model(base.to(getattr(torch, config.model.dtype)), adapter)
    model.to(torch.bfloat16 if bf16 and is_cast else None)
    ids, mask = _tokens(shape.vocabulary)
    keep = torch.zeros_like(ids, dtype=torch.bool)
    keep[:, -4:-1] = True
    call = {"input_ids": ids, "attention_mask": mask, "logits_to_keep": keep}

    def run() -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16 and not is_cast):
            return model(**call)

    return _training(model, config), run


def _roberta(config: RunConfig) -> tuple[Any, Callable[[], Any]]:
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    model = RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=ENCODER.vocabulary,
            hidden_size=ENCODER.hidden,
            intermediate_size=ENCODER.intermediate,
            num_hidden_layers=ENCODER.layers,
            num_attention_heads=ENCODER.heads,
            max_position_embeddings=ENCODER.positions,
            type_vocab_size=ENCODER.types,
            attention_probs_dropout_prob=0.0,
        )
    )
    ids, mask = _tokens(ENCODER.vocabulary)

    def call() -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=config.training.bf16):
            return model(input_ids=ids, attention_mask=mask)

    return _training(model, config), call


def _training(model: Any, config: RunConfig) -> Any:
    if config.training.activation_checkpointing:
        model.activation_checkpointing_enable()
    return model.train()


def _tokens(vocabulary: int) -> tuple[Any, Any]:
    import torch

    ids = torch.randint(3, vocabulary, (BATCH, LENGTH))
    mask = torch.ones_like(ids)
    mask[0, -5:] = 0
    return ids, mask


def _kept(model: Any, call: Callable[[], Any]) -> int:
    """Bytes of the storages that the forward pass saved, less those of weights and their copies."""
    weights = {tuple(p.shape) for p in model.parameters()}
    weights |= {shape[::-1] for shape in weights}
    found: dict[int, Any] = {}
    with _saving(found):
        call()
    kept = [t for t in found.values() if tuple(t.shape) not in weights]
    return sum(tensor.untyped_storage().nbytes() for tensor in kept)


@contextmanager
def _saving(found: dict[int, Any]) -> Iterator[None]:
    """Each storage that autograd saves, once; kept alive, so that none has another's address."""
    import torch

    def pack(tensor: Any) -> Any:
        found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield
