"""How many parameters a model has and how many of them train, without making it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from iacfilter_hpc.config import Lora
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.plan.architecture import Architecture, Decoder, Encoder, Linear

ALL_LINEAR = "all-linear"
CLASSES = 2


@dataclass(frozen=True, slots=True)
class Parameters:
    """Counts; `trainable` and `linear` (those in the matrices of layers) are part of `total`."""

    total: int
    trainable: int
    linear: int

    @property
    def frozen(self) -> int:
        return self.total - self.trainable


def count(architecture: Architecture, lora: Lora | None) -> Parameters:
    """Of an encoder all train; of a causal model those that LoRA adds, which `total` includes.

    Raises:
        ConfigError: lora.target_modules fits no module of the model.
    """
    linear = architecture.layers * sum(one.parameters for one in architecture.linears)
    if isinstance(architecture, Encoder):
        total = linear + _encoder_rest(architecture)
        return Parameters(total, total, linear)
    assert lora is not None, "checked by RunConfig"
    added = sum(lora.r * (one.inputs + one.outputs) for one in targets(architecture, lora))
    return Parameters(linear + _decoder_rest(architecture) + added, added, linear)


def targets(architecture: Decoder, lora: Lora) -> tuple[Linear, ...]:
    """Every module that gets an adapter, with its full name, as PEFT chooses them.

    "all-linear" is every Linear but the output head; another text is a pattern of the whole name;
    each word of a list is the last part of a name.
    Source: https://huggingface.co/docs/peft/package_reference/lora#peft.LoraConfig.target_modules

    Raises:
        ConfigError: none does, which PEFT refuses, or the pattern is wrong.
    """
    wanted = lora.target_modules
    try:
        found = _targets(architecture, tuple(wanted) if isinstance(wanted, list) else wanted)
    except re.error as error:
        raise ConfigError(f"lora.target_modules {wanted!r} is no pattern: {error}") from error
    if not found:
        last = ", ".join(one.name.rpartition(".")[2] for one in architecture.linears)
        raise ConfigError(
            f"lora.target_modules {wanted!r} names no module of the model",
            hint=f"{ALL_LINEAR}, or a list of {last}",
        )
    return found


@lru_cache(maxsize=4)
def _targets(architecture: Decoder, wanted: str | tuple[str, ...]) -> tuple[Linear, ...]:
    # a search tries many settings of one run, all with the same adapter
    named = [*_in_layers(architecture), *_ends(architecture)]
    if isinstance(wanted, tuple):
        ends = tuple(f".{word}" for word in wanted)
        return tuple(module for module in named if f".{module.name}".endswith(ends))
    if wanted.lower() == ALL_LINEAR:
        return tuple(_in_layers(architecture))
    return tuple(module for module in named if re.fullmatch(wanted, module.name))


def _in_layers(architecture: Decoder) -> Iterator[Linear]:
    for index in range(architecture.layers):
        for one in architecture.linears:
            yield Linear(f"model.layers.{index}.{one.name}", one.inputs, one.outputs, one.bias)


def _ends(architecture: Decoder) -> Iterator[Linear]:
    """Embedding and output head: as large as a Linear for an adapter, though one is none."""
    hidden, vocabulary = architecture.hidden, architecture.vocabulary
    yield Linear("model.embed_tokens", vocabulary, hidden, False)
    yield Linear("lm_head", hidden, vocabulary, False)


def _decoder_rest(architecture: Decoder) -> int:
    """Embedding, output head unless it is the embedding, and norms."""
    embeddings = architecture.vocabulary * architecture.hidden
    head_norms = 2 * architecture.head_dim if architecture.has_head_norms else 0
    norms = architecture.layers * (2 * architecture.hidden + head_norms) + architecture.hidden
    return embeddings * (1 if architecture.is_tied else 2) + norms


def _encoder_rest(architecture: Encoder) -> int:
    """Embeddings, norms of weight and bias, and the classifier with its dense layer or pooler."""
    hidden = architecture.hidden
    rows = architecture.vocabulary + architecture.positions + architecture.types
    norms = 2 * hidden * (2 * architecture.layers + 1)
    classifier = hidden * hidden + hidden + CLASSES * (hidden + 1)
    return rows * hidden + norms + classifier
