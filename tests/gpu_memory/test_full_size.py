"""iacfilter_hpc.gpu_memory.estimate against a training step of the default models at full size.

The tensors are fake: they have shapes, dtypes and an end, but no memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.gpu_memory.architecture import read_architecture
from iacfilter_hpc.gpu_memory.estimate import Memory, memory
from iacfilter_hpc.gpu_memory.settings import memory_settings
from iacfilter_hpc.runs.layout import resource
from tests.made_runs import demo_config
from tests.training.settings import TRAINS

pytestmark = TRAINS

SHIPPED = resource("configs", "architectures")
SAMPLES = 2


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules that need not be moved, with dropout as a GPU does it."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    def dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        return torch.native_dropout(x, p, True)[0] if training and p else x

    def stay(module: Any, *_: object, **__: object) -> Any:
        return module

    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
    monkeypatch.setattr(torch.nn.Module, "to", stay)
    with FakeTensorMode():
        yield


def planned(config: RunConfig, path: Path) -> Memory:
    return memory(read_architecture(path), memory_settings(config))


@pytest.mark.parametrize("checkpointing", [True, False])
def test_codellama(fake: None, checkpointing: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from tests.gpu_memory.watch import peak_of_a_step

    config = demo_config(
        "generative",
        f"training.activation_checkpointing={checkpointing}",
        "packing.attention=padded",
    )
    path = SHIPPED / "codellama--CodeLlama-7b-hf.json"
    base = AutoModelForCausalLM.from_config(_config(path), dtype=torch.bfloat16)
    base.enable_input_require_grads()
    assert config.lora is not None
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora.r,
        lora_dropout=config.lora.lora_dropout,
        target_modules=config.lora.target_modules,
    )
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = get_peft_model(base, adapter, autocast_adapter_dtype=False)
    finally:
        torch.set_default_dtype(default)
    if checkpointing:
        model.activation_checkpointing_enable()
    model.train()
    ids = torch.zeros(SAMPLES, config.data.max_length, dtype=torch.long)
    answer = torch.arange(-4, -1) + config.data.max_length

    def loss() -> torch.Tensor:
        logits = model(input_ids=ids, logits_to_keep=answer, use_cache=False).logits
        targets = torch.zeros(3 * SAMPLES, dtype=torch.long)
        return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets)

    need = planned(config, path)
    peak = peak_of_a_step(model, loss)
    assert need.weights == sum(p.nbytes for p in model.parameters())
    assert need.gradients == sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    assert need.activations + need.logits == pytest.approx(peak, rel=0.1)


@pytest.mark.parametrize("checkpointing", [True, False])
def test_codebert(fake: None, checkpointing: bool) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    from tests.gpu_memory.watch import peak_of_a_step

    samples = 16
    config = demo_config(
        "encoder",
        f"training.activation_checkpointing={checkpointing}",
        f"training.per_device_train_batch_size={samples}",
    )
    path = SHIPPED / "microsoft--codebert-base.json"
    shape = _config(path)
    # the CPU would keep whole attention maps for it
    shape.attention_probs_dropout_prob = 0.0
    model = AutoModelForSequenceClassification.from_config(shape)
    if checkpointing:
        model.activation_checkpointing_enable()
    model.train()
    ids = torch.zeros(samples, config.data.max_length, dtype=torch.long)
    mask = torch.ones_like(ids)

    def loss() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=mask).logits
        return torch.nn.functional.cross_entropy(
            logits.float(), torch.zeros(samples, dtype=torch.long)
        )

    need = planned(config, path)
    peak = peak_of_a_step(model, loss)
    weights = sum(p.nbytes for p in model.parameters())
    assert need.gradients == weights
    copies = need.weights - weights
    assert need.activations + need.logits + copies == pytest.approx(peak, rel=0.15)


def _config(path: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(**json.loads(path.read_text()))
