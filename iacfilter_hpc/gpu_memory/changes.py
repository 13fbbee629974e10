"""Changes of a run's settings that lower its memory and leave its optimizer steps as they are.

A step that saw fewer samples would be another experiment; length, LoRA's rank and precision decide
what is learned, and are never offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.gpu_memory.settings import memory_settings

CHECKPOINTING = "training.activation_checkpointing"
BATCH = "training.per_device_train_batch_size"
ACCUMULATION = "training.gradient_accumulation_steps"
DEEPSPEED = "accelerate.deepspeed_config_file"

TOKENS = "packing.tokens_per_batch"

Value = bool | int | str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Change: settings by their dotted keys, with the values that they would have."""

    settings: Mapping[str, Value]

    def applied(self, config: RunConfig) -> RunConfig:
        """The configuration with these settings."""
        # not validated: a search tries hundreds, and tests hold all that are offered to the schema
        for key, value in self.settings.items():
            section, _, name = key.partition(".")
            changed = getattr(config, section).model_copy(update={name: value})
            config = config.model_copy(update={section: changed})
        return config

    def then(self, other: Change) -> Change:
        """Both changes as one; the other's value where both set the same."""
        return Change({**self.settings, **other.settings})

    @property
    def batch(self) -> int:
        """The samples at once that it sets."""
        size = self.settings[BATCH]
        assert isinstance(size, int)
        return size

    def flags(self) -> str:
        """The change as words of the command line."""
        return " ".join(f"--set {key}={_word(value)}" for key, value in self.settings.items())


def step_batches(config: RunConfig) -> list[Change]:
    """Every micro-batch that leaves the samples of an optimizer step as they are, largest first."""
    training = config.training
    samples = training.per_device_train_batch_size * training.gradient_accumulation_steps
    # divisors of the share alone, or the step would see other samples than before
    low = [n for n in range(1, isqrt(samples) + 1) if samples % n == 0]
    sizes = sorted({*low, *(samples // n for n in low)}, reverse=True)
    return [at_once(config, size).then(Change({ACCUMULATION: samples // size})) for size in sizes]


def at_once(config: RunConfig, samples: int) -> Change:
    """Change to this many samples at once, of any length, without a token budget over it."""
    # left in place it would make every number of samples fit alike
    budget: dict[str, Value] = {} if config.packing.tokens_per_batch is None else {TOKENS: None}
    return Change({BATCH: samples, **budget})


def _checkpointing(config: RunConfig) -> list[Change]:
    return [] if config.training.activation_checkpointing else [Change({CHECKPOINTING: True})]


def _smaller_batches(config: RunConfig) -> list[Change]:
    now = config.training.per_device_train_batch_size
    return [change for change in step_batches(config) if change.batch < now]


def _stages(config: RunConfig) -> list[Change]:
    """Higher ZeRO stages, which divide nothing where there is but one process."""
    if config.accelerate.deepspeed_config_file is None or config.num_processes == 1:
        return []
    stage = memory_settings(config).stage  # of a file of one's own too, whatever its name
    return [Change({DEEPSPEED: f"zero{higher}"}) for higher in range(stage + 1, 4)]


def _offloads(config: RunConfig) -> list[Change]:
    if config.accelerate.deepspeed_config_file is None:
        return []
    zero = memory_settings(config).zero
    assert zero is not None, "there is a file"
    names = [] if zero.offloads_optimizer else ["zero2-offload"]
    names += [] if zero.offloads_weights else ["zero3-offload"]
    return [Change({DEEPSPEED: name}) for name in names]


KINDS: tuple[Callable[[RunConfig], list[Change]], ...] = (
    _checkpointing,
    _smaller_batches,
    _stages,
    _offloads,
)
"""Ordered by what they cost: recomputation, smaller micro-batches, communication, transfers to the
host. Each gives its own from the mildest to the strongest. More GPUs are none: they divide what
zero3-offload takes off the GPU altogether."""


def _word(value: Value) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
