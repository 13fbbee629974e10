"""Bytes that a forward pass keeps for the backward pass, a token, from the shapes of a layer.

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
"""

from __future__ import annotations

from collections.abc import Iterable

from iacfilter_hpc.config import MOST_REPEATED
from iacfilter_hpc.plan.architecture import Architecture, Decoder, Encoder, Linear
from iacfilter_hpc.plan.parameters import targets
from iacfilter_hpc.plan.setting import Setting

EXACT = 4
"""Bytes of a number that norms and softmax keep in 32 bits whatever the rest is in."""
MASK = 1
SHARED = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
"""Matrices of a layer that have the same input as another."""


def activations(architecture: Architecture, setting: Setting) -> int:
    """Bytes kept at the moment of most, for one micro-batch.

    With checkpointing: the input of each layer, and all of the one whose backward pass is under
    way. Besides, the gradients in flight: about three of the MLP's width and two of the model's.
    """
    layer, boundary, ends = _a_token(architecture, setting)
    if setting.checkpointing:
        kept = layer + architecture.layers * boundary
    else:
        kept = architecture.layers * layer
    width = setting.compute_width
    in_flight = width * (3 * architecture.intermediate + 2 * architecture.hidden)
    training = setting.tokens * (kept + ends + in_flight) + _repeated(architecture, setting)
    # between epochs: nothing is kept, and a layer has its own width a few times over
    passing = width * (3 * architecture.intermediate + 6 * architecture.hidden)
    return round(max(training, setting.evaluated * setting.length * passing))


def _repeated(architecture: Architecture, setting: Setting) -> float:
    """Keys and values of a beginning that prompts share, once more for each prompt.

    Attention by segments lays them before each prompt's own; training.sampling bounds by how much.
    """
    if not (setting.shares and isinstance(architecture, Decoder)):
        return 0
    layers = 1 if setting.checkpointing else architecture.layers
    whole = min(setting.samples * setting.length, MOST_REPEATED * setting.tokens)
    more = max(0, whole - setting.tokens)
    return layers * 2 * setting.compute_width * architecture.queries * more


def saved(architecture: Architecture, setting: Setting) -> int:
    """Bytes that lie saved between forward and backward pass, of one micro-batch."""
    layer, boundary, ends = _a_token(architecture, setting)
    each = boundary if setting.checkpointing else layer
    return round(setting.tokens * (architecture.layers * each + ends))


def _a_token(architecture: Architecture, setting: Setting) -> tuple[float, float, float]:
    """Bytes a token: of a layer, of a layer's input, and of what lies before and after them."""
    if isinstance(architecture, Decoder):
        return (
            _llama_layer(architecture, setting),
            setting.compute_width * architecture.hidden,
            EXACT * architecture.hidden,
        )
    norm = EXACT if setting.is_autocast else setting.compute_width
    return (
        _bert_layer(architecture, setting, norm),
        norm * architecture.hidden,
        (norm + MASK) * architecture.hidden,
    )


def _llama_layer(architecture: Decoder, setting: Setting) -> float:
    width = setting.compute_width
    norms = 2 * EXACT * (architecture.hidden + 1)
    if architecture.has_head_norms:
        keys = architecture.kv_heads * architecture.head_dim
        norms += EXACT * (architecture.queries + keys)
    gates = 3 * width * architecture.intermediate
    attention = _attention(architecture.queries, architecture.heads, setting)
    return norms + attention + gates + _adapters(architecture, setting)


def _attention(width: int, heads: int, setting: Setting) -> int:
    """Queries, keys, values, output, the softmax's sums, and the mask of padding.

    Keys and values that heads share are repeated for each head.
    """
    return (
        4 * setting.compute_width * width + EXACT * heads + setting.compute_width * setting.length
    )


def _adapters(architecture: Decoder, setting: Setting) -> float:
    """What LoRA keeps, on average over the layers: a pattern may name only some of them."""
    width = setting.adapter_width
    assert setting.lora is not None, "checked by RunConfig"
    adapted = [one for one in targets(architecture, setting.lora) if ".layers." in one.name]
    ranks = width * setting.lora.r * len(adapted)
    mask = MASK if setting.lora.lora_dropout else 0
    if mask or setting.trained_width != setting.compute_width:
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


def _bert_layer(architecture: Encoder, setting: Setting, norm: int) -> int:
    width, hidden = setting.compute_width, architecture.hidden
    copies = 3 if setting.is_autocast else 1
    inputs = (copies + 1) * width * hidden
    mlp = 2 * width * architecture.intermediate
    norms = 2 * (norm * hidden + 2 * EXACT)
    masks = 2 * MASK * hidden
    return inputs + _attention(hidden, architecture.heads, setting) + mlp + norms + masks
