"""iacfilter_hpc.gpu_memory.architecture: where config.json lies, and every fault in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.config.approaches import find_approach
from iacfilter_hpc.config.schema import Model
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.gpu_memory.architecture import (
    Architecture,
    DecoderShapes,
    find_architecture,
    read_architecture,
)
from tests.gpu_memory.shapes import FAMILIES, SMALL, config_json
from tests.slurm.hostile import HOSTILE

COMMIT = "0123abc"


def find(
    name: str, variables: dict[str, str], revision: str | None = None, approach: str = "generative"
) -> Architecture:
    model = Model(
        model_name_or_path=name,
        revision=revision,
        dtype="bfloat16",
        attn_implementation=None,
        quantization=None,
    )
    entry = find_approach(approach)
    return find_architecture(model, entry, {"XDG_CACHE_HOME": "/nowhere", **variables})


def cached(hub: Path, name: str, layers: int, revision: str = "main") -> None:
    """A model in a hub's cache, as huggingface_hub leaves it."""
    folder = hub / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    commit = f"{COMMIT}{layers}"
    (folder / "refs" / revision).write_text(commit)
    config_json(folder / "snapshots" / commit, model_type="llama", num_hidden_layers=layers)


def test_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config_json(tmp_path / "mine", model_type="llama", num_hidden_layers=3)
    assert find(str(tmp_path / "mine"), {}).layers == 3
    monkeypatch.chdir(tmp_path)
    assert find("mine", {}).layers == 3


def test_the_cache_that_the_job_will_have(tmp_path: Path) -> None:
    cached(tmp_path / "hub", "org/name", layers=5)
    cached(tmp_path / "hub", "org/name", layers=6, revision="v2")
    cached(tmp_path / "other", "org/name", layers=7)
    home = {"HF_HOME": str(tmp_path)}
    assert find("org/name", home).layers == 5
    assert find("org/name", home, revision="v2").layers == 6
    assert find("org/name", home, revision=f"{COMMIT}5").layers == 5
    assert find("org/name", {**home, "HF_HUB_CACHE": str(tmp_path / "other")}).layers == 7
    cached(tmp_path / "huggingface" / "hub", "org/last", layers=8)
    assert find("org/last", {"XDG_CACHE_HOME": str(tmp_path)}).layers == 8


def test_facts_are_shipped_of_the_default_models() -> None:
    found = find("codellama/CodeLlama-7b-hf", {})
    assert isinstance(found, DecoderShapes)
    assert (found.layers, found.kv_heads, found.head_dim) == (32, 32, 128)
    assert find("microsoft/codebert-base", {}, approach="encoder").layers == 12
    assert find("tiny", {}).layers == find("tiny", {}, approach="encoder").layers == 2


def test_the_cache_is_believed_before_what_is_shipped(tmp_path: Path) -> None:
    cached(tmp_path / "hub", "codellama/CodeLlama-7b-hf", layers=1)
    assert find("codellama/CodeLlama-7b-hf", {"HF_HOME": str(tmp_path)}).layers == 1


@pytest.mark.parametrize("name", [*HOSTILE.values(), "some/model", "../x", "a/b/c", "x" * 5000])
def test_a_model_that_is_not_here(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(name, {})
    assert repr(name) in caught.value.message
    assert caught.value.hint is not None


def test_a_revision_does_not_lead_out_of_the_cache(tmp_path: Path) -> None:
    cached(tmp_path / "hub", "org/name", layers=5)
    config_json(tmp_path / "hub", model_type="llama")
    with pytest.raises(ConfigError):
        find("org/name", {"HF_HOME": str(tmp_path)}, revision="../..")


@pytest.mark.parametrize("family", ["llama", "roberta"])
def test_a_model_of_the_other_approach(tmp_path: Path, family: str) -> None:
    config_json(tmp_path, **FAMILIES[family])
    approach = "encoder" if family == "llama" else "generative"
    with pytest.raises(ConfigError, match=f"not that of a model for the {approach} approach"):
        find(str(tmp_path), {}, approach=approach)


def test_a_directory_without_config_json(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json cannot be read: No such file"):
        find(str(tmp_path), {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0", " is not JSON: "),
        (b"\xff", " is not JSON: "),
        (b"", " is not JSON: "),
        (b"[" * 100_000, " is not JSON: "),
        (b"9" * 5000, " is not JSON: "),
        (b"[]", " holds no JSON object"),
        (b"{}", ": model_type is None, whose memory is not known"),
        (b'{"model_type": ["llama"]}', ": model_type is ['llama'], whose"),
        (b'{"model_type": "t5"}', ": model_type is 't5', whose memory"),
        (b'{"model_type": "llama"}', ": num_attention_heads is not set"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_malformed_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_architecture(path)
    assert f"{path}{message}" in caught.value.message


@pytest.mark.parametrize("family", ["llama", "qwen3", "roberta"])
@pytest.mark.parametrize("key", SMALL)
@pytest.mark.parametrize("value", [0, -1, 1.5, "64", True, [1], {}, "x" * 5000])
def test_a_wrong_value_is_named(tmp_path: Path, family: str, key: str, value: object) -> None:
    path = config_json(tmp_path, **{**FAMILIES[family], key: value})
    with pytest.raises(ConfigError) as caught:
        read_architecture(path)
    assert caught.value.message.startswith(f"{path}: {key} is ")
    assert len(caught.value.message) < len(str(path)) + 150


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("key", SMALL)
def test_a_missing_key_is_named(tmp_path: Path, family: str, key: str) -> None:
    path = config_json(tmp_path, **{**FAMILIES[family], key: None})
    with pytest.raises(ConfigError, match=f"{key} is not set"):
        read_architecture(path)


def test_what_does_not_go_together(tmp_path: Path) -> None:
    path = config_json(tmp_path, **FAMILIES["llama"], hidden_size=66)
    with pytest.raises(ConfigError, match="hidden_size 66 is no multiple of num_attention_heads 4"):
        read_architecture(path)
    config_json(tmp_path, **FAMILIES["llama"], tie_word_embeddings="no")
    with pytest.raises(ConfigError, match="tie_word_embeddings is 'no', neither true nor false"):
        read_architecture(path)


def test_what_is_not_told_is_as_transformers_has_it(tmp_path: Path) -> None:
    path = config_json(tmp_path, **FAMILIES["llama"])
    found = read_architecture(path)
    assert isinstance(found, DecoderShapes)
    assert (found.kv_heads, found.head_dim, found.is_tied) == (4, 16, False)
    assert json.loads(path.read_text()).get("num_key_value_heads") is None
