"""Memory settings: those of a run, and of its DeepSpeed file, that its memory depends on."""

from __future__ import annotations

from dataclasses import dataclass

from iacfilter_hpc.config.batch_sizes import batch_sizes
from iacfilter_hpc.config.deepspeed import Zero, deepspeed_file, read_zero
from iacfilter_hpc.config.schema import Lora, RunConfig


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """Memory settings; widths are bytes a number, `tokens` those of a micro-batch with padding.

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
    """Memory settings of a run, with the largest micro-batch that it can meet.

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
        # a model that cannot share is padded under `auto`: then too much is counted, not too little
        shares=config.entry.shares_prefixes and config.packed_attention in ("auto", "segments"),
        checkpointing=training.activation_checkpointing,
        in_4_bits=config.model.quantization == "nf4",
        moments=2 if training.optim.startswith("adamw") else 0,
        weight_width=weights,
        trained_width=trained,
        compute_width=2 if bf16 else own,
        adapter_width=2 if bf16 else trained,
    )
