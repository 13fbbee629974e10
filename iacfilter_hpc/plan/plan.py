"""The plan of a run: what it needs of its GPUs, and whether they have it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from iacfilter_hpc.config import RunConfig
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.plan.activations import activations
from iacfilter_hpc.plan.cards import Card, card_of, kind_of
from iacfilter_hpc.plan.changes import Change
from iacfilter_hpc.plan.find import find_architecture
from iacfilter_hpc.plan.fit import (
    Estimate,
    Verdict,
    judge,
    largest_batch,
    smallest_card,
    smallest_change,
    smallest_stage,
    step_batch,
)
from iacfilter_hpc.plan.memory import Memory, memory
from iacfilter_hpc.plan.parameters import Parameters, count
from iacfilter_hpc.plan.recorded import Correction, correction
from iacfilter_hpc.plan.setting import Setting, setting_of
from iacfilter_hpc.site import Site


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on one GPU: the terms as computed, and their sum as runs so far correct it."""

    parameters: Parameters
    setting: Setting
    memory: Memory
    other_activations: int
    """With checkpointing if it is off, without if it is on."""
    correction: Correction
    total: int


@dataclass(frozen=True, slots=True)
class Fit:
    """How a need goes with a card; `largest_batch` is samples, `smallest_stage` ZeRO's."""

    card: Card
    verdict: Verdict
    largest_batch: int
    smallest_stage: int | None
    change: Change | None


@dataclass(frozen=True, slots=True)
class Plan:
    """`fit` is None where the GPU's memory is not known; then there is the card it would take."""

    need: Need
    fit: Fit | None
    smallest_card: Card | None


def make_plan(config: RunConfig, site: Site, models: Path) -> Plan:
    """Everything that can be said of a run before it is submitted; nothing is written.

    Raises:
        ConfigError: the model's shapes are not known, or settings do not go with it.
    """
    estimate = _estimate(config, site, models)
    need = _need(estimate, config)
    card = card_of(config.resources, site.gpu_memory)
    fit = None if card is None else _fit(estimate, config, need, card)
    return Plan(need, fit, smallest_card(need.total))


def with_batch_size(config: RunConfig, site: Site, models: Path) -> RunConfig:
    """The run with the largest micro-batch that fits; its optimizer steps see what they saw.

    Raises:
        ConfigError: the model's shapes or the GPU's memory are not known, or nothing fits.
    """
    if config.training.use_cpu:
        raise ConfigError(
            "--batch-size auto is for GPUs, not for training.use_cpu=true", hint="give a number"
        )
    card = card_of(config.resources, site.gpu_memory)
    if card is None:
        raise ConfigError(
            f"--batch-size auto: how much memory {named(config)} has is not known",
            hint="name its type, as in --gpus h100:4, tell gpu_memory in the site file, or give "
            "a number",
        )
    estimate = _estimate(config, site, models)
    change = step_batch(estimate, config, card)
    if change is None:
        other = smallest_change(estimate, config, card)
        raise ConfigError(
            f"--batch-size auto: not one sample fits {card.gigabytes:g} GB",
            hint=other.flags() if other else "a smaller model, or a larger GPU",
        )
    return change.applied(config)


def named(config: RunConfig) -> str:
    """The GPU that a run gets, in words."""
    if config.training.use_cpu or not config.resources.gpu_count:
        return "the CPU"
    return (
        f"a GPU of type {kind}" if (kind := kind_of(config.resources)) else "a GPU without a type"
    )


def _estimate(config: RunConfig, site: Site, models: Path) -> Estimate:
    # as the job will have them
    variables = {**os.environ, **site.variables()}
    architecture = find_architecture(config.model, config.approach, variables)
    known = correction(models, config.approach, config.model.model_name_or_path)
    return Estimate(architecture, known)


def _need(estimate: Estimate, config: RunConfig) -> Need:
    setting = setting_of(config)
    return Need(
        parameters=count(estimate.architecture, setting.lora),
        setting=setting,
        memory=memory(estimate.architecture, setting),
        other_activations=activations(
            estimate.architecture, replace(setting, checkpointing=not setting.checkpointing)
        ),
        correction=estimate.correction,
        total=estimate.total(config),
    )


def _fit(estimate: Estimate, config: RunConfig, need: Need, card: Card) -> Fit:
    verdict = judge(need.total, card)
    sharded = need.setting.zero is not None
    return Fit(
        card=card,
        verdict=verdict,
        largest_batch=largest_batch(estimate, config, card),
        smallest_stage=smallest_stage(estimate, config, card) if sharded else None,
        change=None if verdict == "fits" else smallest_change(estimate, config, card),
    )
