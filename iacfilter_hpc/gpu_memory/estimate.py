"""Estimate: bytes a GPU needs to train a run, by parameters, activations and all other terms.

Korthikanti et al. (arXiv 2205.05198, 4.1) count 34 h for a layer of the classic transformer in 16
bits, less what the attention map takes, which none of PyTorch's kernels keeps. Counted here is what
today's layers save: `w` bytes a number, `h` and `i` their widths.

Llama with LoRA: the input of each RMSNorm in 32 bits (2 x 4 h); queries, keys, values and output of
the attention (4 w h); gate, up and activation (3 w i); the input of each adapted matrix after
dropout (w) with its mask (1), and r numbers behind its A. Frozen matrices and norms keep no input.
Without dropout, matrices with the same input share it, unless each casts it to the adapter's width.

BERT, all weights trained: each matrix keeps its input, the attention as above, GELU its input, each
LayerNorm its input (32 bits under autocast), each dropout its mask. Under autocast each of the
three matrices of queries, keys and values has a copy of its own of their input.

Weights that do not train have neither gradients nor optimizer states. Tools that count parameters
without looking at requires_grad tell three times too much of a LoRA run
(https://github.com/deepspeedai/DeepSpeed/issues/5304).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from functools import lru_cache

from iacfilter_hpc.config.batch_sizes import MOST_REPEATED
from iacfilter_hpc.config.schema import Lora
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.gpu_memory.architecture import Architecture, DecoderShapes, EncoderShapes, Linear
from iacfilter_hpc.gpu_memory.settings import MemorySettings

ALL_LINEAR = "all-linear"
CLASSES = 2
"""TP and FP."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameter counts; `trainable` and `linear` (in layers' matrices) are part of `total`."""

    total: int
    trainable: int
    linear: int

    @property
    def frozen(self) -> int:
        return self.total - self.trainable


def count(architecture: Architecture, lora: Lora | None) -> Parameters:
    """Parameter counts: of an encoder all train, of a causal model those that LoRA adds.

    `total` includes the latter.

    Raises:
        ConfigError: lora.target_modules fits no module of the model.
    """
    linear = architecture.layers * sum(one.parameters for one in architecture.linears)
    if isinstance(architecture, EncoderShapes):
        total = linear + _encoder_rest(architecture)
        return Parameters(total, total, linear)
    assert lora is not None, "checked by RunConfig"
    # A is [r, inputs] and B [outputs, r]; neither has a bias
    added = sum(lora.r * (one.inputs + one.outputs) for one in targets(architecture, lora))
    return Parameters(linear + _decoder_rest(architecture) + added, added, linear)


def targets(architecture: DecoderShapes, lora: Lora) -> tuple[Linear, ...]:
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
def _targets(architecture: DecoderShapes, wanted: str | tuple[str, ...]) -> tuple[Linear, ...]:
    # cached, as a search tries many settings of one run, all with the same adapter
    named = [*_in_layers(architecture), *_ends(architecture)]
    if isinstance(wanted, tuple):
        # with the dot, as PEFT does it: `proj` is no end of q_proj
        ends = tuple(f".{word}" for word in wanted)
        return tuple(module for module in named if f".{module.name}".endswith(ends))
    if wanted.lower() == ALL_LINEAR:
        return tuple(_in_layers(architecture))
    return tuple(module for module in named if re.fullmatch(wanted, module.name))


def _in_layers(architecture: DecoderShapes) -> Iterator[Linear]:
    for index in range(architecture.layers):
        for one in architecture.linears:
            yield Linear(f"model.layers.{index}.{one.name}", one.inputs, one.outputs, one.bias)


def _ends(architecture: DecoderShapes) -> Iterator[Linear]:
    """Embedding and output head: as large as a Linear for an adapter, though one is none."""
    hidden, vocabulary = architecture.hidden, architecture.vocabulary
    yield Linear("model.embed_tokens", vocabulary, hidden, False)
    yield Linear("lm_head", hidden, vocabulary, False)


def _decoder_rest(architecture: DecoderShapes) -> int:
    """Embedding, output head unless it is the embedding, and norms."""
    embeddings = architecture.vocabulary * architecture.hidden
    head_norms = 2 * architecture.head_dim if architecture.has_head_norms else 0
    norms = architecture.layers * (2 * architecture.hidden + head_norms) + architecture.hidden
    return embeddings * (1 if architecture.is_tied else 2) + norms


def _encoder_rest(architecture: EncoderShapes) -> int:
    """Embeddings, norms of weight and bias, and the classifier with its dense layer or pooler."""
    hidden = architecture.hidden
    rows = architecture.vocabulary + architecture.positions + architecture.types
    # weight and bias of two in each layer, and of the one behind the embeddings
    norms = 2 * hidden * (2 * architecture.layers + 1)
    classifier = hidden * hidden + hidden + CLASSES * (hidden + 1)
    return rows * hidden + norms + classifier


EXACT = 4
"""Bytes of a number that norms and softmax keep in 32 bits whatever the rest is in."""
MASK = 1
"""Bytes of an element of a dropout's mask, a bool."""
SHARED = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
"""Matrices of a layer that have the same input as another."""


def activations(architecture: Architecture, settings: MemorySettings) -> int:
    """Bytes of activations at the moment of most, for one micro-batch.

    With checkpointing: the input of each layer, and all of the one whose backward pass is under
    way. Besides, the gradients in flight: about three of the MLP's width and two of the model's.
    """
    layer, boundary, ends = _a_token(architecture, settings)
    if settings.checkpointing:
        kept = layer + architecture.layers * boundary
    else:
        kept = architecture.layers * layer
    # 0.1 to 7 % off the peak of a step of both default models at full size, with fake tensors
    width = settings.compute_width
    in_flight = width * (3 * architecture.intermediate + 2 * architecture.hidden)
    training = settings.tokens * (kept + ends + in_flight) + _repeated(architecture, settings)
    # between epochs: nothing is kept, and a layer has its own width a few times over
    passing = width * (3 * architecture.intermediate + 6 * architecture.hidden)
    return round(max(training, settings.evaluated * settings.length * passing))


def _repeated(architecture: Architecture, settings: MemorySettings) -> float:
    """Keys and values of a beginning that prompts share, once more for each prompt.

    Attention by segments lays them before each prompt's own; the batch sampler bounds by how much.
    """
    # BERT's rows share nothing, and padded ones repeat nothing
    if not (settings.shares and isinstance(architecture, DecoderShapes)):
        return 0
    # recomputed, they exist for the layer alone whose backward pass is under way
    layers = 1 if settings.checkpointing else architecture.layers
    whole = min(settings.samples * settings.length, MOST_REPEATED * settings.tokens)
    more = max(0, whole - settings.tokens)
    return layers * 2 * settings.compute_width * architecture.queries * more


def saved(architecture: Architecture, settings: MemorySettings) -> int:
    """Bytes that lie saved between forward and backward pass, of one micro-batch."""
    layer, boundary, ends = _a_token(architecture, settings)
    each = boundary if settings.checkpointing else layer
    return round(settings.tokens * (architecture.layers * each + ends))


def _a_token(architecture: Architecture, settings: MemorySettings) -> tuple[float, float, float]:
    """Bytes a token: of a layer, of a layer's input, and of what lies before and after them."""
    # after the layers of Llama: the last norm's input, in 32 bits; before those of BERT: the input
    # of LayerNorm, and the dropout's mask
    if isinstance(architecture, DecoderShapes):
        return (
            _llama_layer(architecture, settings),
            settings.compute_width * architecture.hidden,
            EXACT * architecture.hidden,
        )
    norm = EXACT if settings.is_autocast else settings.compute_width
    return (
        _bert_layer(architecture, settings, norm),
        norm * architecture.hidden,
        (norm + MASK) * architecture.hidden,
    )


def _llama_layer(architecture: DecoderShapes, settings: MemorySettings) -> float:
    width = settings.compute_width
    # one number more for each token and norm: the reciprocal of its root mean square
    norms = 2 * EXACT * (architecture.hidden + 1)
    if architecture.has_head_norms:
        keys = architecture.kv_heads * architecture.head_dim
        norms += EXACT * (architecture.queries + keys)
    gates = 3 * width * architecture.intermediate
    attention = _attention(architecture.queries, architecture.heads, settings)
    return norms + attention + gates + _adapters(architecture, settings)


def _attention(width: int, heads: int, settings: MemorySettings) -> int:
    """Queries, keys, values, output, the softmax's sums, and the mask of padding.

    Keys and values that heads share are repeated for each head.
    """
    return (
        4 * settings.compute_width * width
        + EXACT * heads
        + settings.compute_width * settings.length
    )


def _adapters(architecture: DecoderShapes, settings: MemorySettings) -> float:
    """What LoRA keeps, on average over the layers: a pattern may name only some of them."""
    # adapters of embedding and head, which all-linear does not make, are left out
    width = settings.adapter_width
    assert settings.lora is not None, "checked by RunConfig"
    adapted = [one for one in targets(architecture, settings.lora) if ".layers." in one.name]
    ranks = width * settings.lora.r * len(adapted)
    mask = MASK if settings.lora.lora_dropout else 0
    if mask or settings.trained_width != settings.compute_width:
        inputs = (width + mask) * sum(one.inputs for one in adapted)
    else:
        inputs = width * _distinct_inputs(adapted)
    return (ranks + inputs) / architecture.layers


def _distinct_inputs(adapted: Iterable[Linear]) -> int:
    """Numbers a token, each shared input once; that of o_proj is the attention's output."""
    found: dict[str, int] = {}
    for one in adapted:
        before, _, name = one.name.rpartition(".")
        if name != "o_proj":
            found[f"{before}.{SHARED.get(name, name)}"] = one.inputs
    return sum(found.values())


def _bert_layer(architecture: EncoderShapes, settings: MemorySettings, norm: int) -> int:
    width, hidden = settings.compute_width, architecture.hidden
    copies = 3 if settings.is_autocast else 1
    inputs = (copies + 1) * width * hidden
    mlp = 2 * width * architecture.intermediate
    norms = 2 * (norm * hidden + 2 * EXACT)
    masks = 2 * MASK * hidden
    return inputs + _attention(hidden, architecture.heads, settings) + mlp + norms + masks


GIB = 2**30
WORKSPACE = GIB + GIB // 2
"""What PyTorch's allocator does not count or cannot use: the CUDA context, libraries, buffers of
NCCL and ZeRO, fragments. An estimate: 0.5 GiB of context, about as much each for the others."""
MOMENT = 4
"""Bytes a parameter: a moment in 32 bits."""
NF4 = (4 + 0.127) / 8
"""Bytes a parameter: 4 bits, and 0.127 of the twice quantised constants (arXiv 2305.14314)."""
MASTER = 4
"""Bytes a parameter: DeepSpeed's own copy in 32 bits."""
ANSWER_TOKENS = 4
"""Positions whose logits are computed, a sample: the answer's tokens and the end, at most."""
LOGIT = 16
"""Bytes a logit: as computed, in 32 bits, its log softmax, and the gradients."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one GPU, in bytes by term."""

    weights: int
    gradients: int
    optimizer: int
    gathered: int
    """Whole weights of ZeRO-3's layers around the one that computes."""
    activations: int
    logits: int
    workspace: int = WORKSPACE

    @property
    def tensors(self) -> int:
        """What PyTorch allocates: all but the workspace."""
        return self.total - self.workspace

    @property
    def inexact(self) -> int:
        """What depends on the samples; the other tensors are known."""
        return self.activations + self.logits

    @property
    def total(self) -> int:
        return sum(astuple(self))


def memory(architecture: Architecture, settings: MemorySettings) -> Memory:
    """Memory that each GPU needs, the fullest where they differ.

    With n GPUs: weights are divided by n at ZeRO-3, gradients from ZeRO-2 on, Adam's states from
    ZeRO-1 on. Source: Rajbhandari et al., arXiv 1910.02054, with the trainable parameters alone.

    Raises:
        ConfigError: lora.target_modules fits no module of the model.
    """
    parameters = count(architecture, settings.lora)
    classes = (
        architecture.vocabulary * ANSWER_TOKENS
        if isinstance(architecture, DecoderShapes)
        else CLASSES
    )
    return Memory(
        weights=_weights(architecture, parameters, settings),
        gradients=_gradients(parameters, settings),
        optimizer=_optimizer(parameters, settings),
        gathered=_gathered(parameters, settings),
        activations=activations(architecture, settings),
        # of all samples of a step: they may be in one micro-batch
        logits=LOGIT * classes * settings.samples,
    )


def _weights(architecture: Architecture, parameters: Parameters, settings: MemorySettings) -> int:
    own = settings.weight_width * parameters.frozen + settings.trained_width * parameters.trainable
    if settings.in_4_bits:
        # without DeepSpeed PEFT takes what is not in 4 bits to 32
        # (peft.prepare_model_for_kbit_training)
        rest = parameters.frozen - parameters.linear
        wide = rest * (0 if settings.zero else MASTER - settings.weight_width)
        own += wide - round((settings.weight_width - NF4) * parameters.linear)
    # what is on the GPU for the moment is counted as gathered
    if settings.zero is not None and settings.zero.offloads_weights:
        return 0
    if settings.stage == 3:
        return _share(own, settings)
    if settings.is_autocast:
        # the copies are saved with the activations, of every layer or of one
        layers = architecture.layers if settings.checkpointing else 1
        own += settings.compute_width * parameters.linear // layers
    return own


def _gradients(parameters: Parameters, settings: MemorySettings) -> int:
    if settings.zero is not None and settings.zero.offloads_optimizer:
        return 0
    whole = settings.trained_width * parameters.trainable
    return _share(whole, settings) if settings.stage >= 2 else whole


def _optimizer(parameters: Parameters, settings: MemorySettings) -> int:
    if settings.zero is None:
        # torch.optim.AdamW keeps its moments in the dtype of the weights
        return settings.moments * settings.trained_width * parameters.trainable
    if settings.zero.offloads_optimizer:
        return 0
    # at stage 0 DeepSpeed keeps a copy in 32 bits only of weights that are narrower
    has_master = settings.stage or settings.trained_width < MASTER
    whole = (MOMENT * settings.moments + (MASTER if has_master else 0)) * parameters.trainable
    return _share(whole, settings) if settings.stage else whole


def _gathered(parameters: Parameters, settings: MemorySettings) -> int:
    if settings.zero is None or settings.stage < 3:
        return 0
    # stage3_max_live_parameters is the most that DeepSpeed keeps gathered before it releases some
    return settings.weight_width * min(parameters.total, settings.zero.most_live)


def _share(whole: int, settings: MemorySettings) -> int:
    # rounded up: the fullest GPU's
    return -(-whole // settings.processes)
