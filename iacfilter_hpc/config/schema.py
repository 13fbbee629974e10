"""Configuration schema: one frozen, validated RunConfig, what a run is made of.

The defaults of every setting stand in configs/<approach>.yaml, not here, so that each stands once.
Keys under `training` are fields of transformers.TrainingArguments, under `lora` of peft.LoraConfig,
under `accelerate` flags of `accelerate launch`, under `resources` long options of sbatch.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from iacfilter_hpc.config.approaches import ApproachEntry, find_approach, subjects
from iacfilter_hpc.config.slurm_options import Resources
from iacfilter_hpc.errors import ConfigError, UsageError, counted
from iacfilter_hpc.runs.layout import RunLayout, absolute
from iacfilter_hpc.runs.validation_errors import problems_in

logger = logging.getLogger(__name__)


def approach_problems(config: RunConfig) -> list[str]:
    """Settings that do not go with the approach, a sentence each."""
    entry = config.entry
    return [
        *_alone_problems(entry, config),
        *_adapter_problems(entry, config),
        *_input_problems(entry, config),
    ]


def _alone_problems(entry: ApproachEntry, config: RunConfig) -> list[str]:
    if entry.several_processes:
        return []
    problems = []
    if config.resources.gpus.count > 1 or config.resources.nodes != 1:
        problems.append(
            f"{entry.subject} trains on one GPU of one node, not on "
            f"--gpus {config.resources.gpus} --nodes {config.resources.nodes}"
        )
    if config.accelerate.deepspeed_config_file is not None:
        others = subjects(lambda other: other.several_processes)
        problems.append(f"accelerate.deepspeed_config_file is for {others}")
    return problems


def _adapter_problems(entry: ApproachEntry, config: RunConfig) -> list[str]:
    if entry.lora:
        return [] if config.lora else [f"{entry.subject} needs a lora section"]
    if config.lora is None:
        return []
    return [f"lora is for {subjects(lambda e: e.lora)}; {entry.subject} trains all weights"]


def _input_problems(entry: ApproachEntry, config: RunConfig) -> list[str]:
    fields = config.data.input_fields
    if entry.reads_fields:
        needs = f"data.input_fields needs at least one field for {entry.subject}"
        return [] if fields else [needs]
    if fields is None:
        return []
    others = subjects(lambda other: other.reads_fields)
    return [f"data.input_fields is for {others}; {entry.name} reads with_prompt"]


def packing_problems(config: RunConfig) -> list[str]:
    """Settings that packed rows do not go with, a sentence each; at most one."""
    # a matter of the approach, which a type of the field cannot know
    known = ("auto", "padded", *config.entry.packed_attention)
    wanted, asked = config.packing.attention, config.model.attn_implementation
    if asked is not None and wanted not in ("auto", "padded"):
        packed = f"which packing.attention {wanted} makes"
        return [f"model.attn_implementation {asked} cannot take packed rows, {packed}"]
    # packed rows differ in their layout at every step, and each would be compiled anew
    if config.training.torch_compile and config.packed_attention != "padded":
        return ["training.torch_compile needs packing.attention=padded"]
    if wanted in known:
        return []
    return [
        f"packing.attention is {config.packing.attention}; for {config.approach}: "
        f"{', '.join(known)}"
    ]


def process_problems(config: RunConfig) -> list[str]:
    """Why GPUs, nodes and processes do not add up: at most one reason.

    Each rule presumes that those before it hold.
    """
    gpus, nodes, asked = (
        config.resources.gpus.count,
        config.resources.nodes,
        config.accelerate.num_processes,
    )
    if not gpus and not config.training.use_cpu:
        return ["--gpus 0 needs training.use_cpu=true"]
    if not config.entry.several_processes:
        one = asked in (None, 1)
        return [] if one else [f"{config.entry.subject} trains in one process, not {asked}"]
    # Slurm is asked for GPUs a node: see Resources.gpus_per_node
    if gpus % nodes and not config.training.use_cpu:
        return [f"--gpus {gpus} cannot be shared equally by --nodes {nodes}: use a multiple"]
    # `accelerate launch` starts the same number on each machine
    if config.num_processes % nodes:
        shared = counted(config.num_processes, "process", "processes")
        return [f"{shared} cannot be shared equally by --nodes {nodes}"]
    # without it each process would train a model of its own, and all write the same run
    if config.num_processes > 1 and config.accelerate.deepspeed_config_file is None:
        return [f"{config.num_processes} processes need accelerate.deepspeed_config_file"]
    if asked is not None and asked != gpus and not config.training.use_cpu:
        return [f"accelerate.num_processes {asked} must equal --gpus {gpus}, or be null"]
    return []


def gpu_problems(entry: ApproachEntry, model: Model, training: Training) -> list[str]:
    """Settings that a CPU or a model in 4 bits does not go with, a sentence each.

    Apart from whether a GPU is there: the machine that submits may have none.
    """
    return [*_on_a_cpu(model, training), *_in_4_bits(entry, model, training)]


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


def _in_4_bits(entry: ApproachEntry, model: Model, training: Training) -> list[str]:
    """Settings that a model in 4 bits does not go with.

    Source: https://huggingface.co/docs/peft/v0.21.0/accelerate/deepspeed, which has ZeRO-3 too;
    transformers' validate_quantization_for_training refuses a compiled model.
    """
    if model.quantization is None:
        return []
    problems = []
    if not entry.lora:
        adapted = subjects(lambda other: other.lora)
        problems.append(f"model.quantization is for {adapted}: {entry.kind} trains all weights")
    if model.dtype != "bfloat16":
        problems.append(f"model.quantization needs model.dtype bfloat16, not {model.dtype}")
    if training.torch_compile:
        problems.append("training.torch_compile does not go with model.quantization")
    return problems


def _known(approach: str) -> str:
    # pydantic takes a ValueError for a wrong value, and lets any other error through
    try:
        return find_approach(approach).name
    except UsageError as error:
        raise ValueError(error.message) from error


ApproachName = Annotated[str, AfterValidator(_known)]
"""The name of an approach that there is: of this package, or of one that is installed."""

TINY = "tiny"
"""The model name that stands for a tiny random model, made offline in the run's directory."""

AttentionSetting = Literal["auto", "segments", "blocks", "padded"]
"""How a model attends over packed rows, or that nothing is packed."""
REMOVED_ATTENTION = ("flex", "mask")
"""Settings of earlier versions that computed what `segments` computes, but for rounding."""

# A directory, a job's name and an argument of commands: no leading dash, no leading dot (hidden,
# and .tokens is beside the runs), no slash, and no %, which Slurm replaces in the paths of logs
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

InputField = Literal["smell", "technology", "content", "with_context"]
"""Fields of a sample that an encoder's input may be made of."""

Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A part of the configuration: frozen, and any unknown key is an error."""

    # extra: a misspelt key that is passed over would train something else.
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
    input_fields: list[InputField] | None

    @field_validator("train_file", "validation_file", "test_file", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # the job starts in another directory than the command that submits it
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
    # what NumPy takes, which transformers' set_seed seeds as well
    seed: int = Field(ge=0, lt=2**32)
    bf16: bool
    tf32: bool | None
    optim: Literal["adamw_torch_fused", "adamw_torch", "adafactor", "sgd"]
    torch_compile: bool
    activation_checkpointing: bool
    use_cpu: bool


class Packing(Section):
    """How samples are put together for the device; the gradients are the same in any way.

    `tokens_per_batch` are those of a device at once.
    """

    attention: AttentionSetting
    tokens_per_batch: Positive | None

    @field_validator("attention", mode="before")
    @classmethod
    def _not_removed(cls, attention: object) -> object:
        # before the type is checked, whose error would not say what became of it
        if attention in REMOVED_ATTENTION:
            raise ValueError("it was removed; auto computes the same")
        return attention


class Selection(Section):
    """Which checkpoint wins, when to stop, and how the samples weigh.

    `early_stopping_patience` counts epochs, `class_weight` is [FP, TP]. With `confidence_weights`
    each sample's loss counts as much as its field `confidence` says, and fully without one.
    """

    early_stopping_patience: Positive | None
    class_weight: Literal["balanced"] | tuple[float, float] | None
    confidence_weights: bool

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
    """Whether and how a run goes on after an attempt that did not finish.

    `limit` counts attempts in all; for `exclude_hours` a new job keeps off a node at fault;
    `lead_seconds` before its time limit a job is asked to save, None for as long as saves took.
    """

    limit: Positive
    exclude_hours: NotNegative
    lead_seconds: Positive | None


class RunConfig(Section):
    """Configuration of a run: all that decides what it computes and where it runs."""

    approach: ApproachName
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
            *gpu_problems(self.entry, self.model, self.training),
        ]
        # one error, since pydantic takes one of each validator
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def entry(self) -> ApproachEntry:
        """What its approach declares."""
        return find_approach(self.approach)

    @property
    def num_processes(self) -> int:
        """Training processes in all: one a GPU, unless CPU training asks for a number."""
        return self.accelerate.num_processes or max(1, self.resources.gpus.count)

    @property
    def packed_attention(self) -> AttentionSetting:
        """What packing is to use: nothing beside an implementation of attention that was named."""
        # a kernel that was named is used for padded batches; packed rows need one of ours
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
    "selection": {"confidence_weights": False},
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

    # PyYAML's own loader, not that of layers: as_yaml has quoted all that this one would misread
    written = yaml.safe_load(layout.config.read_text(encoding="utf-8"))
    for section, settings in LATER.items():
        # what is no section is left for the check below to name
        if isinstance(written, dict) and isinstance(written.get(section, {}), dict):
            written[section] = {**settings, **written.get(section, {})}
    _replace_removed(written, layout)
    return RunConfig.model_validate(written)


def read_config(layout: RunLayout) -> RunConfig:
    """The configuration of a run as `load_config` gives it, for a command that a person runs.

    Raises:
        ConfigError: the file is gone, or was damaged; each wrong key is named.
    """
    import yaml

    try:
        return load_config(layout)
    except ValidationError as error:
        problems = "\n".join(f"{layout.config}: {problem}" for problem in problems_in(error))
        raise ConfigError(problems) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{layout.config} cannot be read: {said}") from error


def _replace_removed(written: Any, layout: RunLayout) -> None:
    """Give a run of an earlier version what computes the same, and say so."""
    packing = written.get("packing") if isinstance(written, dict) else None
    if isinstance(packing, dict) and (old := packing.get("attention")) in REMOVED_ATTENTION:
        # it goes on where it was, though no longer bit for bit: sums are in another order
        logger.warning(
            "%s: packing.attention=%s was removed; auto computes the same but for rounding",
            layout.name,
            old,
        )
        packing["attention"] = "auto"
