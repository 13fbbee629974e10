"""Bytes a GPU needs to train a run, term by term.

Weights that do not train have neither gradients nor optimizer states. Tools that count parameters
without looking at requires_grad tell three times too much of a LoRA run
(https://github.com/deepspeedai/DeepSpeed/issues/5304).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from iacfilter_hpc.plan.activations import activations
from iacfilter_hpc.plan.architecture import Architecture, Decoder
from iacfilter_hpc.plan.parameters import CLASSES, Parameters, count
from iacfilter_hpc.plan.setting import Setting

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
    """Bytes on one GPU."""

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


def memory(architecture: Architecture, setting: Setting) -> Memory:
    """The need of each GPU, of the fullest where they differ.

    With n GPUs: weights are divided by n at ZeRO-3, gradients from ZeRO-2 on, Adam's states from
    ZeRO-1 on. Source: Rajbhandari et al., arXiv 1910.02054, with the trainable parameters alone.

    Raises:
        ConfigError: lora.target_modules fits no module of the model.
    """
    parameters = count(architecture, setting.lora)
    classes = (
        architecture.vocabulary * ANSWER_TOKENS if isinstance(architecture, Decoder) else CLASSES
    )
    return Memory(
        weights=_weights(architecture, parameters, setting),
        gradients=_gradients(parameters, setting),
        optimizer=_optimizer(parameters, setting),
        gathered=_gathered(parameters, setting),
        activations=activations(architecture, setting),
        logits=LOGIT * classes * setting.samples,
    )


def _weights(architecture: Architecture, parameters: Parameters, setting: Setting) -> int:
    own = setting.weight_width * parameters.frozen + setting.trained_width * parameters.trainable
    if setting.in_4_bits:
        # without DeepSpeed PEFT takes what is not in 4 bits to 32
        # (peft.prepare_model_for_kbit_training)
        rest = parameters.frozen - parameters.linear
        wide = rest * (0 if setting.zero else MASTER - setting.weight_width)
        own += wide - round((setting.weight_width - NF4) * parameters.linear)
    if setting.zero is not None and setting.zero.offloads_weights:
        return 0
    if setting.stage == 3:
        return _share(own, setting)
    if setting.is_autocast:
        # the copies are saved with the activations, of every layer or of one
        layers = architecture.layers if setting.checkpointing else 1
        own += setting.compute_width * parameters.linear // layers
    return own


def _gradients(parameters: Parameters, setting: Setting) -> int:
    if setting.zero is not None and setting.zero.offloads_optimizer:
        return 0
    whole = setting.trained_width * parameters.trainable
    return _share(whole, setting) if setting.stage >= 2 else whole


def _optimizer(parameters: Parameters, setting: Setting) -> int:
    if setting.zero is None:
        # torch.optim.AdamW keeps its moments in the dtype of the weights
        return setting.moments * setting.trained_width * parameters.trainable
    if setting.zero.offloads_optimizer:
        return 0
    has_master = setting.stage or setting.trained_width < MASTER
    whole = (MOMENT * setting.moments + (MASTER if has_master else 0)) * parameters.trainable
    return _share(whole, setting) if setting.stage else whole


def _gathered(parameters: Parameters, setting: Setting) -> int:
    if setting.zero is None or setting.stage < 3:
        return 0
    return setting.weight_width * min(parameters.total, setting.zero.most_live)


def _share(whole: int, setting: Setting) -> int:
    return -(-whole // setting.processes)
