"""Extra packages: those of the train extra, and those that single settings need beyond it.

Checked for the Python that trains, not with the configuration: a login node may lack what its
compute nodes have.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import IacfilterError, together


@dataclass(frozen=True, slots=True)
class Extra:
    """A setting or command, the package that it needs (by its import), and how one gets it."""

    setting: str
    package: str
    hint: str


NF4 = Extra("model.quantization nf4", "bitsandbytes", "pip install 'iacfilter-hpc[nf4]'")
FLASH = Extra(
    "model.attn_implementation flash_attention_2",
    "flash_attn",
    "pip install flash-attn --no-build-isolation, or model.attn_implementation=sdpa",
)

TEACH = Extra("iacfilter-teach", "httpx2", "pip install 'iacfilter-hpc[teach]'")


def extras_of(config: RunConfig) -> list[Extra]:
    """Extra packages that the settings of a run need."""
    wanted = {
        NF4: config.model.quantization == "nf4",
        FLASH: config.model.attn_implementation == "flash_attention_2",
    }
    return [extra for extra, is_wanted in wanted.items() if is_wanted]


TRAIN = "pip install 'iacfilter-hpc[train]'"
FILTER = "pip install 'iacfilter-hpc[filter]'"
EXPORT = "pip install 'iacfilter-hpc[train,export]'"

TRAINING_PACKAGES = "torch transformers peft accelerate deepspeed datasets sklearn".split()
"""Of the train extra, by the names of their modules."""

EXPORT_PACKAGES = "onnx onnxscript onnxruntime".split()
"""Of the export extra, which is used beside the train extra."""


def check_training_is_installed() -> None:
    """Raise IacfilterError unless the packages of the train extra can be found."""
    check_installed(TRAINING_PACKAGES)


def check_installed(packages: Sequence[str], hint: str = TRAIN) -> None:
    """Raise IacfilterError unless these packages can be found; `hint` says how one gets them."""
    # found, not imported: torch alone takes seconds
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise IacfilterError(
            f"{sys.executable} lacks {', '.join(missing)}",
            hint=hint,
        )


def check_extras(extras: list[Extra]) -> None:
    """See that this Python has the packages; nothing is imported for it.

    transformers would fetch a missing flash_attn from its hub instead, if it can.

    Raises:
        IacfilterError: some are missing; all are named.
    """
    # find_spec, not import: bitsandbytes and flash_attn load CUDA, which a login node may lack
    problems = [
        IacfilterError(f"{extra.setting} needs the package {extra.package}", hint=extra.hint)
        for extra in extras
        if importlib.util.find_spec(extra.package) is None
    ]
    if problems:
        raise together(problems)
