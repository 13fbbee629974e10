"""Architecture: the shapes of a model, from its config.json, and where that lies.

Parameters that are counted from them equal those of transformers and PEFT; other families than
those named here are refused, as a wrong plan is worse than none.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.config.approaches import ApproachEntry
from iacfilter_hpc.config.schema import TINY, Model
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.runs.layout import absolute, resource

# model_type of transformers' configs
DECODERS = ("llama", "mistral", "qwen2", "qwen3")
ENCODERS = ("roberta", "xlm-roberta", "bert")
LONGEST = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Linear: one torch.nn.Linear of a layer, by its name within the layer."""

    name: str
    inputs: int
    outputs: int
    bias: bool

    @property
    def parameters(self) -> int:
        return self.inputs * self.outputs + (self.outputs if self.bias else 0)


@dataclass(frozen=True, slots=True)
class DecoderShapes:
    """DecoderShapes: a causal model like Llama.

    RMSNorm, rotary positions (no parameters), gated MLP, keys and values shared by groups of heads.
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    is_tied: bool
    qkv_bias: bool
    output_bias: bool
    mlp_bias: bool
    has_head_norms: bool
    """Whether queries and keys pass a norm of each head, as Qwen3's do."""

    @property
    def queries(self) -> int:
        """Width of all queries together."""
        return self.heads * self.head_dim

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The matrices of one layer, in their order there."""
        keys = self.kv_heads * self.head_dim
        return (
            Linear("self_attn.q_proj", self.hidden, self.queries, self.qkv_bias),
            Linear("self_attn.k_proj", self.hidden, keys, self.qkv_bias),
            Linear("self_attn.v_proj", self.hidden, keys, self.qkv_bias),
            Linear("self_attn.o_proj", self.queries, self.hidden, self.output_bias),
            Linear("mlp.gate_proj", self.hidden, self.intermediate, self.mlp_bias),
            Linear("mlp.up_proj", self.hidden, self.intermediate, self.mlp_bias),
            Linear("mlp.down_proj", self.intermediate, self.hidden, self.mlp_bias),
        )


@dataclass(frozen=True, slots=True)
class EncoderShapes:
    """EncoderShapes: a bidirectional model like BERT.

    LayerNorm after each block, GELU, learned positions (`positions` rows of an embedding).
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    vocabulary: int
    positions: int
    types: int

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The matrices of one layer, in their order there."""
        attention = ("query", "key", "value", "output.dense")
        return (
            *(Linear(f"attention.{n}", self.hidden, self.hidden, True) for n in attention),
            Linear("intermediate.dense", self.hidden, self.intermediate, True),
            Linear("output.dense", self.intermediate, self.hidden, True),
        )


Architecture = DecoderShapes | EncoderShapes


def read_architecture(path: Path) -> Architecture:
    """Architecture that a config.json tells, with the defaults of transformers' classes.

    Raises:
        ConfigError: it cannot be read, a key is missing or wrong, or the family is not a known one.
    """
    fields = _Fields(path, _document(path))
    family = fields.values.get("model_type")
    if family in DECODERS:
        return _decoder(fields, str(family))
    if family in ENCODERS:
        return _encoder(fields)
    raise ConfigError(
        f"{path}: model_type is {_shown(family)}, whose memory is not known",
        hint=f"known are {', '.join((*DECODERS, *ENCODERS))}",
    )


def _document(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return document


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


@dataclass(frozen=True, slots=True)
class _Fields:
    """The keys of a config.json, each checked when it is asked for; null is as good as missing."""

    path: Path
    values: dict[str, object]

    def whole(self, key: str, default: int | None = None) -> int:
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise ConfigError(f"{self.path}: {key} is not set")
        # True is an int to Python
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{self.path}: {key} is {_shown(value)}, not a whole number from 1")
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if value not in (None, True, False):
            raise ConfigError(f"{self.path}: {key} is {_shown(value)}, neither true nor false")
        return bool(value)

    def share(self, key: str, of: str) -> int:
        """Quotient of the settings `of` and `key`. Raises ConfigError if it is no whole number."""
        count, whole = self.whole(key), self.whole(of)
        if whole % count:
            raise ConfigError(f"{self.path}: {of} {whole} is no multiple of {key} {count}")
        return whole // count


def _decoder(fields: _Fields, family: str) -> DecoderShapes:
    heads = fields.whole("num_attention_heads")
    # Qwen3's class has a width of its own for heads, 128; the others divide the model's
    is_set = fields.values.get("head_dim") is not None or family == "qwen3"
    attention_bias = family in ("llama", "qwen3") and fields.flag("attention_bias")
    # biases: Llama and Qwen3 have a switch for all four matrices of attention, Qwen2 always has
    # those of the first three, Mistral none; in the MLP Llama alone has a switch
    return DecoderShapes(
        hidden=fields.whole("hidden_size"),
        intermediate=fields.whole("intermediate_size"),
        layers=fields.whole("num_hidden_layers"),
        heads=heads,
        kv_heads=fields.whole("num_key_value_heads", heads),
        head_dim=fields.whole("head_dim", 128)
        if is_set
        else fields.share("num_attention_heads", of="hidden_size"),
        vocabulary=fields.whole("vocab_size"),
        is_tied=fields.flag("tie_word_embeddings"),
        qkv_bias=attention_bias or family == "qwen2",
        output_bias=attention_bias,
        mlp_bias=family == "llama" and fields.flag("mlp_bias"),
        has_head_norms=family == "qwen3",
    )


def _encoder(fields: _Fields) -> EncoderShapes:
    # for its error alone: transformers refuses a width that the heads do not divide
    fields.share("num_attention_heads", of="hidden_size")
    return EncoderShapes(
        hidden=fields.whole("hidden_size"),
        intermediate=fields.whole("intermediate_size"),
        layers=fields.whole("num_hidden_layers"),
        heads=fields.whole("num_attention_heads"),
        vocabulary=fields.whole("vocab_size"),
        positions=fields.whole("max_position_embeddings"),
        types=fields.whole("type_vocab_size", 2),
    )


# paths are made of both, which come from a configuration: REVISION takes no `..`, and the one slash
# of a name becomes `--`
HUB_NAME = re.compile(r"(?:[\w.-]+/)?[\w.-]+", re.ASCII)
REVISION = re.compile(r"(?:(?!\.\./)[\w.-]+/)*(?!\.\.$)[\w.-]+", re.ASCII)


def find_architecture(
    model: Model, approach: ApproachEntry, variables: Mapping[str, str]
) -> Architecture:
    """Architecture of a run's model; `variables` are the environment that its jobs will have.

    Raises:
        ConfigError: there is no config.json here, it is wrong, or not of this approach's kind,
            of which none may be known.
    """
    if approach.architecture is None:
        raise ConfigError(
            f"no shapes of models of {approach.subject} are known, so its memory is not known"
        )
    path = _config_json(model, approach, variables)
    found = read_architecture(path)
    # submitted, it would fail on the GPU, after the wait for it
    if isinstance(found, DecoderShapes) != (approach.architecture == "decoder"):
        raise ConfigError(
            f"{path} is not that of a model for the {approach.name} approach",
            hint="--model-name takes one that is",
        )
    return found


def _config_json(model: Model, approach: ApproachEntry, variables: Mapping[str, str]) -> Path:
    name = model.model_name_or_path
    if name == TINY:
        return approach.configs / "architectures" / f"{TINY}-{approach.name}.json"
    directory = absolute(Path(name))
    # unlike Path.is_dir, it takes a name that is too long or not to be searched for none
    if os.path.isdir(directory):  # noqa: PTH112
        return directory / "config.json"
    # a name of another form could lead out of the cache
    if HUB_NAME.fullmatch(name):
        folder = name.replace("/", "--")
        # the cache first: it holds what the job will load, the shipped facts what we know of a name
        cached = [_in_cache(hub, folder, model.revision or "main") for hub in _hubs(variables)]
        shipped = resource("configs", "architectures", f"{folder}.json")
        for path in (*cached, shipped):
            if path is not None and os.path.isfile(path):  # noqa: PTH113
                return path
    raise ConfigError(
        f"no config.json of {name!r} is here, so its memory is not known",
        hint="give its directory, or put it into the Hugging Face cache (HF_HOME, hf_home)",
    )


def _hubs(variables: Mapping[str, str]) -> Iterator[Path]:
    """The caches that huggingface_hub would take, each where it is not told of the one before.

    Source: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
    """
    if hub := variables.get("HF_HUB_CACHE"):
        yield absolute(Path(hub))
    if home := variables.get("HF_HOME"):
        yield absolute(Path(home)) / "hub"
    yield absolute(Path(variables.get("XDG_CACHE_HOME") or "~/.cache")) / "huggingface" / "hub"


def _in_cache(hub: Path, folder: str, revision: str) -> Path | None:
    """config.json of a cached model: a branch or tag is a file with the commit's name.

    Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    cached = hub / f"models--{folder}"
    if not REVISION.fullmatch(revision):
        return None
    named = cached / "refs" / revision
    try:
        commit = named.read_text(encoding="utf-8").strip()
    # no such branch or tag: it may be a commit
    except (OSError, UnicodeDecodeError):
        commit = revision
    return cached / "snapshots" / commit / "config.json"
