"""iacfilter_hpc.gpu_memory.estimate: the counts of transformers and PEFT, without either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.config.schema import Lora
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.gpu_memory.architecture import DecoderShapes, read_architecture
from iacfilter_hpc.gpu_memory.estimate import count, targets
from iacfilter_hpc.runs.layout import resource
from tests.gpu_memory.shapes import DECODERS, ENCODERS, config_json
from tests.training.settings import TRAINS

SHIPPED = resource("configs", "architectures")
CODELLAMA = SHIPPED / "codellama--CodeLlama-7b-hf.json"
CODEBERT = SHIPPED / "microsoft--codebert-base.json"
TARGETS: list[str | list[str]] = [
    "all-linear",
    "All-Linear",
    ["q_proj", "v_proj"],
    ["down_proj", "lm_head"],
    ["layers.1.mlp.up_proj", "embed_tokens"],
    r".*layers\.0\..*(q|o)_proj",
]

trains = [*TRAINS, pytest.mark.filterwarnings("ignore::UserWarning:peft")]


def lora(wanted: str | list[str], r: int = 16) -> Lora:
    return Lora(r=r, lora_alpha=2 * r, lora_dropout=0.05, target_modules=wanted)


def real_decoder(path: Path, wanted: str | list[str], r: int) -> tuple[int, int]:
    """Trainable and all parameters, as PEFT counts them on the model itself."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(_config(path))
        adapter = LoraConfig(task_type="CAUSAL_LM", r=r, target_modules=wanted)
        found: tuple[int, int] = get_peft_model(base, adapter).get_nb_trainable_parameters()
    return found


def real_encoder(path: Path) -> int:
    import torch
    from transformers import AutoModelForSequenceClassification

    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(_config(path))
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _config(path: Path) -> Any:
    from transformers import AutoConfig

    values = json.loads(path.read_text())
    return AutoConfig.for_model(**values)


class TestAgainstTheLibraries:
    pytestmark = trains

    @pytest.mark.parametrize("wanted", TARGETS, ids=str)
    @pytest.mark.parametrize("family", DECODERS)
    def test_of_a_small_causal_model(
        self, tmp_path: Path, family: str, wanted: str | list[str]
    ) -> None:
        path = config_json(tmp_path, **DECODERS[family])
        found = count(read_architecture(path), lora(wanted, r=4))
        assert (found.trainable, found.total) == real_decoder(path, wanted, 4)

    @pytest.mark.parametrize("family", ENCODERS)
    def test_of_a_small_encoder(self, tmp_path: Path, family: str) -> None:
        path = config_json(tmp_path, **ENCODERS[family])
        found = count(read_architecture(path), None)
        assert found.trainable == found.total == real_encoder(path)

    @pytest.mark.parametrize("wanted", ["all-linear", ["q_proj", "v_proj"]], ids=str)
    def test_of_codellama(self, wanted: str | list[str]) -> None:
        found = count(read_architecture(CODELLAMA), lora(wanted))
        assert (found.trainable, found.total) == real_decoder(CODELLAMA, wanted, 16)

    def test_of_codebert(self) -> None:
        assert count(read_architecture(CODEBERT), None).total == real_encoder(CODEBERT)

    @pytest.mark.parametrize("approach", ["generative", "encoder"])
    def test_of_the_tiny_models(self, tmp_path: Path, approach: Any) -> None:
        from iacfilter_hpc.training.approaches.tiny import build_tiny_model

        build_tiny_model(approach, tmp_path / "tiny")
        made = json.loads((tmp_path / "tiny" / "config.json").read_text())
        shipped = json.loads((SHIPPED / f"tiny-{approach}.json").read_text())
        assert made["vocab_size"] <= shipped.pop("vocab_size")
        assert {key: made[key] for key in shipped} == shipped


def test_codellama_is_what_its_name_says() -> None:
    found = count(read_architecture(CODELLAMA), lora("all-linear"))
    assert found.frozen == 6_738_546_688
    assert found.trainable == 39_976_960


@pytest.mark.parametrize("wanted", ["q_proj", ["qproj"], ["roj"], [], "("], ids=str)
def test_targets_that_peft_refuses(wanted: str | list[str]) -> None:
    architecture = read_architecture(CODELLAMA)
    assert isinstance(architecture, DecoderShapes)
    with pytest.raises(ConfigError) as caught:
        targets(architecture, lora(wanted))
    assert str(wanted) in caught.value.message
