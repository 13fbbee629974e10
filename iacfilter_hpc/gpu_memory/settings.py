"""Settings that a run's memory depends on: its own, and those of its DeepSpeed configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.config.batch_sizes import batch_sizes
from iacfilter_hpc.config.resolve import deepspeed_file
from iacfilter_hpc.config.schema import Lora, RunConfig
from iacfilter_hpc.errors import ConfigError

MOST_LIVE = 1_000_000_000
"""stage3_max_live_parameters where it is not set.

Source: https://www.deepspeed.ai/docs/config-json/#zero-optimizations-for-fp16-training
"""


@dataclass(frozen=True, slots=True)
class Zero:
    """`bf16` is None where the Trainer decides; `most_live` counts parameters."""

    stage: int
    offloads_optimizer: bool
    offloads_weights: bool
    most_live: int
    bf16: bool | None


def read_zero(path: Path) -> Zero:
    """The memory settings of a DeepSpeed file.

    Raises:
        ConfigError: one of them is of another type than DeepSpeed's.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no DeepSpeed configuration: {error}") from error
    settings = _section(document, "zero_optimization", path)
    stage = settings.get("stage", 0)
    if stage not in (0, 1, 2, 3) or isinstance(stage, bool):  # True is 1 to `in`
        raise ConfigError(f"{path}: zero_optimization.stage is {stage!r}, not 0, 1, 2 or 3")
    most_live = settings.get("stage3_max_live_parameters", MOST_LIVE)
    if not isinstance(most_live, int | float) or most_live < 0:
        raise ConfigError(f"{path}: stage3_max_live_parameters is {most_live!r}, not a number")
    bf16 = _section(document, "bf16", path).get("enabled")
    return Zero(
        stage=int(stage),
        offloads_optimizer=_is_elsewhere(_section(settings, "offload_optimizer", path)),
        offloads_weights=_is_elsewhere(_section(settings, "offload_param", path)),
        most_live=int(most_live),
        bf16=bf16 if isinstance(bf16, bool) else None,
    )


def _section(document: dict[str, object], key: str, path: Path) -> dict[str, object]:
    found = document.get(key) or {}
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: {key} is {found!r}, not an object")
    return found


def _is_elsewhere(offload: dict[str, object]) -> bool:
    return offload.get("device") in ("cpu", "nvme")


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """Widths are bytes a number; `tokens` are those of a micro-batch, padding included.

    `samples` are a device's share of an optimizer step: short ones, or such that begin alike, may
    all be in one micro-batch.
    """

    processes: int
    zero: Zero | None
    lora: Lora | None
    samples: int
    tokens: int
    length: int
    evaluated: int
    """Samples at once between epochs."""
    shares: bool
    """Whether prompts are packed so that they share what they begin with."""
    checkpointing: bool
    in_4_bits: bool
    """Whether the frozen matrices of layers are in NF4."""
    moments: int
    """Numbers a parameter that the optimizer keeps: AdamW's two; the others keep next to none."""
    weight_width: int
    """Of the weights as they lie on the GPU; of a causal model: of the frozen ones."""
    trained_width: int
    """Of the weights that train."""
    compute_width: int
    """Of what layers compute with."""
    adapter_width: int
    """Of what the adapter computes with, to which it casts its input."""

    @property
    def stage(self) -> int:
        """The ZeRO stage; 0 without DeepSpeed."""
        return self.zero.stage if self.zero else 0

    @property
    def is_autocast(self) -> bool:
        """Whether matrices are copied into 16 bits for the arithmetic alone."""
        return self.compute_width < self.weight_width


def memory_settings(config: RunConfig) -> MemorySettings:
    """What the memory of a run depends on, with the largest micro-batch that it can meet.

    It may hold all samples of a device's step, if they are short or share their beginning.

    DeepSpeed with bf16 casts the whole model, adapter included. Without it `bf16` is autocast: an
    encoder keeps model.dtype, and PEFT makes the adapter of a 16-bit model in 32 bits
    (autocast_adapter_dtype).

    Raises:
        ConfigError: the DeepSpeed file cannot be understood.
    """
    training, file = config.training, config.accelerate.deepspeed_config_file
    zero = read_zero(deepspeed_file(file)) if file is not None else None
    # a DeepSpeed file may say so itself; "auto" is the Trainer's setting
    bf16 = training.bf16 if zero is None or zero.bf16 is None else zero.bf16
    own = 4 if config.model.dtype == "float32" else 2
    casts = zero is not None and bf16  # the weights themselves; without DeepSpeed it is autocast
    if casts:
        weights = trained = 2
    else:
        weights, trained = own, (4 if config.lora is not None else own)
    batch = batch_sizes(config)
    return MemorySettings(
        processes=config.num_processes,
        zero=zero,
        lora=config.lora,
        samples=batch.samples_per_step // batch.processes,
        tokens=batch.tokens_at_once,
        length=config.data.max_length,
        evaluated=training.per_device_eval_batch_size,
        shares=config.entry.shares_prefixes and config.packed_attention in ("auto", "segments"),
        checkpointing=training.activation_checkpointing,
        in_4_bits=config.model.quantization == "nf4",
        moments=2 if training.optim.startswith("adamw") else 0,
        weight_width=weights,
        trained_width=trained,
        compute_width=2 if bf16 else own,
        adapter_width=2 if bf16 else trained,
    )
