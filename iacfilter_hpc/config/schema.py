"""Configuration schema: one frozen, validated RunConfig, what a run is made of.

The defaults of every setting stand in configs/<approach>.yaml, not here, so that each stands once.
Keys under `training` are fields of transformers.TrainingArguments, under `lora` of peft.LoraConfig,
under `accelerate` flags of `accelerate launch`, under `resources` long options of sbatch.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from iacfilter_hpc.config.slurm_options import Resources
from iacfilter_hpc.errors import counted
from iacfilter_hpc.runs.layout import RunLayout, absolute

PACKED: dict[Approach, tuple[str, ...]] = {
    "generative": ("segments", "flex", "mask"),
    "encoder": ("blocks",),
}
"""The forms of attention over packed rows, which training.attention explains."""


def approach_problems(config: RunConfig) -> list[str]:
    """What does not go with the approach."""
    problems = []
    if config.approach == "encoder":
        if config.resources.gpu_count > 1 or config.resources.nodes != 1:
            problems.append(
                "the encoder trains on one GPU of one node, not on "
                f"--gpus {config.resources.gpus} --nodes {config.resources.nodes}"
            )
        if config.lora is not None:
            problems.append("lora is for the generative approach; the encoder trains all weights")
        if config.accelerate.deepspeed_config_file is not None:
            problems.append("accelerate.deepspeed_config_file is for the generative approach")
        if not config.data.input_fields:
            problems.append("data.input_fields needs at least one field for the encoder")
    else:
        if config.lora is None:
            problems.append("the generative approach needs a lora section")
        if config.data.input_fields is not None:
            problems.append("data.input_fields is for the encoder; generative reads with_prompt")
    return problems


def packing_problems(config: RunConfig) -> list[str]:
    """What samples cannot be packed with."""
    known = ("auto", "padded", *PACKED[config.approach])
    wanted, asked = config.packing.attention, config.model.attn_implementation
    if asked is not None and wanted not in ("auto", "padded"):
        return [f"model.attn_implementation {asked} cannot take packed rows: {wanted} does"]
    # packed rows differ in their layout at every step, and each would be compiled anew
    if config.training.torch_compile and config.packed_attention != "padded":
        return ["training.torch_compile needs packing.attention=padded"]
    if wanted == "flex" and config.training.use_cpu:
        return ["packing.attention=flex is for GPUs: PyTorch has no gradient of it for CPUs"]
    if wanted in known:
        return []
    return [
        f"packing.attention is {config.packing.attention}; for {config.approach}: "
        f"{', '.join(known)}"
    ]


def process_problems(config: RunConfig) -> list[str]:
    """What keeps GPUs, nodes and processes from adding up."""
    gpus, nodes, asked = (
        config.resources.gpu_count,
        config.resources.nodes,
        config.accelerate.num_processes,
    )
    if not gpus and not config.training.use_cpu:
        return ["--gpus 0 needs training.use_cpu=true"]
    if config.approach == "encoder":
        one = asked in (None, 1)
        return [] if one else [f"the encoder trains in one process, not {asked}"]
    if gpus % nodes and not config.training.use_cpu:
        return [f"--gpus {gpus} cannot be shared equally by --nodes {nodes}: use a multiple"]
    if config.num_processes % nodes:
        shared = counted(config.num_processes, "process", "processes")
        return [f"{shared} cannot be shared equally by --nodes {nodes}"]
    if config.num_processes > 1 and config.accelerate.deepspeed_config_file is None:
        return [f"{config.num_processes} processes need accelerate.deepspeed_config_file"]
    if asked is not None and asked != gpus and not config.training.use_cpu:
        return [f"accelerate.num_processes {asked} must equal --gpus {gpus}, or be null"]
    return []


def gpu_problems(approach: Approach, model: Model, training: Training) -> list[str]:
    """What a CPU cannot do, and what does not go with a model in 4 bits."""
    return [*_on_a_cpu(model, training), *_in_4_bits(approach, model, training)]


def _on_a_cpu(model: Model, training: Training) -> list[str]:
    if not training.use_cpu:
        return []
    flash = model.attn_implementation == "flash_attention_2"
    wanted = {
        "training.tf32": training.tf32,
        "model.attn_implementation flash_attention_2": flash,
        "model.quantization": model.quantization,
    }
    return [
        f"{name} is for GPUs, not for training.use_cpu=true"
        for name, is_wanted in wanted.items()
        if is_wanted
    ]


def _in_4_bits(approach: Approach, model: Model, training: Training) -> list[str]:
    """Source: https://huggingface.co/docs/peft/v0.21.0/accelerate/deepspeed, which has ZeRO-3 too.

    transformers' validate_quantization_for_training refuses a compiled model.
    """
    if model.quantization is None:
        return []
    problems = []
    if approach == "encoder":
        problems.append(
            "model.quantization is for the generative approach: an encoder trains all weights"
        )
    if model.dtype != "bfloat16":
        problems.append(f"model.quantization needs model.dtype bfloat16, not {model.dtype}")
    if training.torch_compile:
        problems.append("training.torch_compile does not go with model.quantization")
    return problems


Approach = Literal["generative", "encoder"]
TINY = "tiny"
"""The model name that stands for a tiny random model, made offline in the run's directory."""

Wanted = Literal["auto", "segments", "flex", "mask", "blocks", "padded"]
"""How a model attends over packed rows, or that nothing is packed."""

MOST_REPEATED = 4
"""Times its tokens that a packed row's prompts may have, written out.

Attention by segments lays the keys of a shared beginning before each prompt: the sampler keeps to
this, and the plan of a run's memory counts on it.
"""

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A part of the configuration: frozen, and any unknown key is an error."""

    # allow_inf_nan: a learning rate of .nan is a typing error, never a wish
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


class Model(Section):
    """Which pretrained model; the names are those of AutoModel.from_pretrained."""

    model_name_or_path: str = Field(min_length=1)
    revision: str | None
    dtype: Literal["bfloat16", "float16", "float32"]
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] | None
    quantization: Literal["nf4"] | None


class Data(Section):
    """Which samples, and how much of each the model sees."""

    train_file: Path
    validation_file: Path
    test_file: Path | None
    max_length: int = Field(ge=16)
    input_fields: list[Literal["smell", "technology", "content", "with_context"]] | None

    @field_validator("train_file", "validation_file", "test_file", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path if path is None else absolute(path)


class Lora(Section):
    """The adapter: fields of peft.LoraConfig."""

    r: Positive
    lora_alpha: Positive
    lora_dropout: float = Field(ge=0, lt=1)
    target_modules: str | list[str]


class Training(Section):
    """Fields of transformers.TrainingArguments, by their own names."""

    per_device_train_batch_size: Positive
    per_device_eval_batch_size: Positive
    gradient_accumulation_steps: Positive
    num_train_epochs: float = Field(gt=0)
    learning_rate: float = Field(gt=0)
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"]
    warmup_steps: NotNegative
    weight_decay: NotNegative
    max_grad_norm: NotNegative
    logging_steps: Positive
    save_total_limit: Positive
    seed: int = Field(ge=0, lt=2**32)
    bf16: bool
    tf32: bool | None
    optim: Literal["adamw_torch_fused", "adamw_torch", "adafactor", "sgd"]
    torch_compile: bool
    activation_checkpointing: bool
    use_cpu: bool


class Packing(Section):
    """How samples are put together for the device; the gradients are the same in any way."""

    attention: Wanted
    tokens_per_batch: Positive | None


class Selection(Section):
    """Which checkpoint wins, when to stop, and how the classes weigh."""

    early_stopping_patience: Positive | None
    class_weight: Literal["balanced"] | tuple[float, float] | None

    @field_validator("class_weight", mode="after")
    @classmethod
    def _positive(cls, weight: object) -> object:
        if isinstance(weight, tuple) and min(weight) <= 0:
            raise ValueError("weights [FP, TP] must be greater than 0")
        return weight


class Accelerate(Section):
    """Flags of `accelerate launch`."""

    num_processes: Positive | None
    deepspeed_config_file: str | None


class Requeue(Section):
    """Whether and how a run goes on after an attempt that did not finish."""

    limit: Positive
    exclude_hours: NotNegative
    lead_seconds: Positive | None


class RunConfig(Section):
    """All that decides what a run computes and where it runs."""

    approach: Approach
    name: str | None = None
    model: Model
    data: Data
    lora: Lora | None
    training: Training
    packing: Packing
    selection: Selection
    accelerate: Accelerate
    resources: Resources
    requeue: Requeue

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str | None) -> str | None:
        if name is not None and not RUN_NAME.fullmatch(name):
            raise ValueError("a run's name is 1 to 64 letters, digits, dots, dashes or underscores")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        problems = [
            *approach_problems(self),
            *packing_problems(self),
            *process_problems(self),
            *gpu_problems(self.approach, self.model, self.training),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def num_processes(self) -> int:
        """Training processes in all: one a GPU, unless CPU training asks for a number."""
        return self.accelerate.num_processes or max(1, self.resources.gpu_count)

    @property
    def packed_attention(self) -> Wanted:
        """What packing is to use: nothing beside an implementation of attention that was named."""
        return self.packing.attention if self.model.attn_implementation is None else "padded"

    @property
    def token_budget(self) -> int:
        """Tokens that a device computes at once: by default as many as a full batch has."""
        full = self.training.per_device_train_batch_size * self.data.max_length
        return self.packing.tokens_per_batch or full

    @property
    def global_batch_size(self) -> int:
        """Samples an optimizer step sees, over all processes and accumulated micro-batches."""
        one_step = self.training.per_device_train_batch_size * self.num_processes
        return one_step * self.training.gradient_accumulation_steps

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for config.yaml and for the run's key."""
        return self.model_dump(mode="json")


LATER: dict[str, dict[str, object]] = {
    "model": {"attn_implementation": None, "quantization": None},
    "training": {"tf32": False, "optim": "adamw_torch_fused", "torch_compile": False},
    "packing": {"attention": "padded", "tokens_per_batch": None},
}
"""Settings that runs of earlier versions have not written down, and how those runs behave.

Not the defaults of today: a run that goes on computes as it did before. Which samples a step sees
is of this version.
"""


def load_config(layout: RunLayout) -> RunConfig:
    """The resolved configuration that a run was submitted with, by this version or another.

    Raises:
        OSError, yaml.YAMLError, ValidationError: the file is gone, or was damaged.
    """
    import yaml

    written = yaml.safe_load(layout.config.read_text(encoding="utf-8"))
    for section, settings in LATER.items():
        # what is no section is left for the check below to name
        if isinstance(written, dict) and isinstance(written.get(section, {}), dict):
            written[section] = {**settings, **written.get(section, {})}
    return RunConfig.model_validate(written)
