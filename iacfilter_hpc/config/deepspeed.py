"""DeepSpeed configuration: where its file lies, what is wrong with it, what it says of memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.runs.layout import absolute, resource

BATCH_KEYS = (
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "gradient_accumulation_steps",
)
"""Settings that `training` has too: two values end in DeepSpeed's own error, hours later.

The numbers would be wrong besides: a micro-batch of packed rows is bounded by tokens.
"""


def deepspeed_fault(path: Path) -> str | None:
    """Fault of a DeepSpeed file, in words; None if it has none.

    Its other settings are DeepSpeed's to judge: a list of ours would age.
    """
    if not path.is_file():
        shipped = ", ".join(sorted(p.stem for p in resource("configs", "deepspeed").glob("*.json")))
        return f"is not a file (shipped: {shipped})"
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        return f"is not JSON: {error}"
    if not isinstance(document, dict):
        return "holds no JSON object"
    for key in BATCH_KEYS:
        if document.get(key, "auto") != "auto":
            return f"sets {key} to {document[key]!r}: it must be auto, training has these settings"
    return None


def deepspeed_file(name_or_path: str) -> Path:
    """The path of a DeepSpeed configuration: one of configs/deepspeed by its name, or a file."""
    # the shipped one first: zero2 means the same in every working directory
    shipped = resource("configs", "deepspeed", f"{name_or_path}.json")
    return shipped if shipped.is_file() else absolute(Path(name_or_path))


MOST_LIVE = 1_000_000_000
"""stage3_max_live_parameters where it is not set.

Source: https://www.deepspeed.ai/docs/config-json/#zero-optimizations-for-fp16-training
"""


@dataclass(frozen=True, slots=True)
class Zero:
    """ZeRO settings of a DeepSpeed file that its memory depends on.

    `bf16` is None where the Trainer decides; `most_live` counts parameters.
    Source: https://www.deepspeed.ai/docs/config-json/
    """

    stage: int
    offloads_optimizer: bool
    offloads_weights: bool
    most_live: int
    bf16: bool | None


def read_zero(path: Path) -> Zero:
    """The memory settings of a DeepSpeed file.

    Raises:
        ConfigError: it is no JSON, or one of them is of another type than DeepSpeed's.
    """
    # an object it is: deepspeed_fault has refused another document when settings were resolved
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no DeepSpeed configuration: {error}") from error
    settings = _section(document, "zero_optimization", path)
    stage = settings.get("stage", 0)
    if stage not in (0, 1, 2, 3) or isinstance(stage, bool):  # True is 1 to `in`
        raise ConfigError(f"{path}: zero_optimization.stage is {stage!r}, not 0, 1, 2 or 3")
    most_live = settings.get("stage3_max_live_parameters", MOST_LIVE)
    # float: people write 1e9, as DeepSpeed's documentation does, which is none to JSON
    if not isinstance(most_live, int | float) or most_live < 0:
        raise ConfigError(f"{path}: stage3_max_live_parameters is {most_live!r}, not a number")
    # "auto" is for accelerate to fill in, from the Trainer's arguments
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
