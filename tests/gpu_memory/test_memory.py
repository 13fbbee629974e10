"""iacfilter_hpc.gpu_memory.estimate: bytes of model states, by ZeRO stage and number of GPUs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.config.deepspeed import read_zero
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.gpu_memory.architecture import read_architecture
from iacfilter_hpc.gpu_memory.estimate import GIB, Memory, memory
from iacfilter_hpc.gpu_memory.settings import memory_settings
from iacfilter_hpc.runs.layout import resource
from tests.made_runs import demo_config

CODELLAMA = read_architecture(
    resource("configs", "architectures", "codellama--CodeLlama-7b-hf.json")
)
CODEBERT = read_architecture(resource("configs", "architectures", "microsoft--codebert-base.json"))
BASE = 6_738_546_688
ADAPTER = 39_976_960

# GiB of 2N + 2T + 2T + 12T, divided where the stage divides them (arXiv 1910.02054)
STATES = {
    "zero0": {1: 13.15, 2: 13.15, 4: 13.15, 8: 13.15},
    "zero1": {1: 13.15, 2: 12.92, 4: 12.81, 8: 12.76},
    "zero2": {1: 13.15, 2: 12.89, 4: 12.76, 8: 12.69},
    "zero2-offload": {1: 12.63, 2: 12.63, 4: 12.63, 8: 12.63},
    "zero3": {1: 13.15, 2: 6.57, 4: 3.29, 8: 1.64},
    "zero3-offload": {1: 0.0, 4: 0.0},
}


def generative(*assignments: str) -> RunConfig:
    return demo_config("generative", *assignments)


def needed(config: RunConfig) -> Memory:
    architecture = CODELLAMA if config.approach == "generative" else CODEBERT
    return memory(architecture, memory_settings(config))


def states(found: Memory) -> float:
    return (found.weights + found.gradients + found.optimizer) / GIB


@pytest.mark.parametrize(
    ("zero", "gpus", "gib"), [(z, n, gib) for z, row in STATES.items() for n, gib in row.items()]
)
def test_the_states_of_codellama(zero: str, gpus: int, gib: float) -> None:
    config = generative(f"resources.gpus={gpus}", f"accelerate.deepspeed_config_file={zero}")
    assert states(needed(config)) == pytest.approx(gib, abs=0.01)


def test_frozen_weights_have_neither_gradients_nor_states() -> None:
    found = needed(generative("accelerate.deepspeed_config_file=zero0"))
    assert found.weights == 2 * (BASE + ADAPTER)
    assert found.gradients == 2 * ADAPTER
    assert found.optimizer == 12 * ADAPTER


def test_without_deepspeed_the_adapter_is_in_32_bits() -> None:
    found = needed(generative("accelerate.deepspeed_config_file=null"))
    assert found.weights == 2 * BASE + 4 * ADAPTER
    assert (found.gradients, found.optimizer) == (4 * ADAPTER, 8 * ADAPTER)


def test_deepspeed_casts_a_model_in_32_bits() -> None:
    narrow, wide = generative(), generative("model.dtype=float32")
    assert needed(narrow) == needed(wide)
    assert needed(generative("model.dtype=float32", "training.bf16=false")).weights > 2 * 2 * BASE


def test_zero3_gathers_what_it_has_divided() -> None:
    assert needed(generative()).gathered == 0
    found = needed(generative("accelerate.deepspeed_config_file=zero3"))
    assert found.gathered == 2 * 10**9


def test_the_encoder_trains_all_it_has() -> None:
    config = demo_config("encoder", "training.bf16=false")
    total = 124_647_170
    assert needed(config).gathered == 0
    assert states(needed(config)) * GIB == pytest.approx(16 * total)
    # autocast keeps a copy of the layers' matrices in 16 bits
    copies = needed(demo_config("encoder")).weights - 4 * total
    assert copies == 2 * 12 * (4 * 768 * 769 + 768 * 3072 * 2 + 768 + 3072)


def test_a_micro_batch_may_have_its_own_number_of_tokens() -> None:
    budgets = ("null", "1024", "2048", "100")
    padded = ("packing.attention=padded", "training.per_device_eval_batch_size=1")
    found = [needed(generative(f"packing.tokens_per_batch={b}", *padded)) for b in budgets]
    assert found[0] == found[1]
    assert found[2].activations == 2 * found[1].activations
    assert found[2].logits == found[1].logits
    # one sample is computed whole
    assert 2 * found[3].activations == found[1].activations


def test_weights_in_4_bits() -> None:
    """The notes of QLoRA: 7 B in about 4 GiB, embeddings and head as they were."""
    whole, small = needed(generative()), needed(generative("model.quantization=nf4"))
    assert whole.weights / GIB == pytest.approx(12.63, abs=0.01)
    assert small.weights / GIB == pytest.approx(3.7, abs=0.1)
    assert small.optimizer == whole.optimizer


def test_an_optimizer_without_moments_keeps_only_the_copy() -> None:
    adam, sgd = needed(generative()), needed(generative("training.optim=sgd"))
    assert sgd.optimizer * 3 == pytest.approx(adam.optimizer, abs=3)


def test_the_terms_add_up() -> None:
    found = needed(generative())
    assert found.total == found.tensors + found.workspace
    assert found.tensors == (
        found.weights + found.gradients + found.optimizer + found.activations + found.logits
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"zero_optimization": {"stage": "two"}}', "stage is 'two', not 0, 1, 2 or 3"),
        ('{"zero_optimization": {"stage": true}}', "stage is True"),
        ('{"zero_optimization": {"stage": [3]}}', "stage is [3]"),
        ('{"zero_optimization": 3}', "zero_optimization is 3, not an object"),
        ('{"zero_optimization": {"offload_param": "cpu"}}', "offload_param is 'cpu', not an"),
        ('{"zero_optimization": {"stage3_max_live_parameters": "x"}}', "live_parameters is 'x'"),
    ],
)
def test_a_deepspeed_file_that_cannot_be_understood(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_zero(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert message in caught.value.message


def test_a_deepspeed_file_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    offload = {"offload_optimizer": {"device": "cpu"}, "offload_param": {"device": "none"}}
    live = {"stage3_max_live_parameters": 1e8}
    path.write_text(json.dumps({"zero_optimization": {"stage": 3, **offload, **live}}))
    found = needed(generative(f"accelerate.deepspeed_config_file={path}"))
    assert (found.gradients, found.optimizer, found.gathered) == (0, 0, 2 * 10**8)
    assert found.weights > BASE
