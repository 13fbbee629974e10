"""GPU memory plan: what a run needs, whether it fits, and what could be changed.

A run that does not fit fails after it has waited in the queue, and loaded its model.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from iacfilter_hpc.config.batch_sizes import BatchSizes, batch_sizes
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.gpu_memory.architecture import Architecture, find_architecture
from iacfilter_hpc.gpu_memory.changes import DEEPSPEED, KINDS, Change, at_once, step_batches
from iacfilter_hpc.gpu_memory.estimate import Memory, Parameters, activations, count, memory
from iacfilter_hpc.gpu_memory.gpus import COMMON, GpuMemory, gpu_memory_of
from iacfilter_hpc.gpu_memory.recorded_peaks import Correction, correction
from iacfilter_hpc.gpu_memory.settings import MemorySettings, memory_settings

COMFORTABLE = 0.85
"""Share of a GPU up to which a run fits: the rest is for fragments and what was estimated low."""
TIGHT = 0.95
"""Share of a GPU up to which a run may fit: beyond, it had to need less than was counted."""


class Fit(StrEnum):
    """Fit of a need of memory and a GPU's, as users read it."""

    FITS = "fits"
    TIGHT = "tight"
    TOO_LARGE = "will not fit"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimate of a run of this model, whatever its settings, as far as runs so far have shown."""

    architecture: Architecture
    correction: Correction

    def total(self, config: RunConfig) -> int:
        """Bytes a GPU; what is corrected is the part that depends on the samples."""
        need = memory(self.architecture, memory_settings(config))
        return need.total + round(need.inexact * (self.correction.factor - 1))

    def fits(self, config: RunConfig, gpu: GpuMemory) -> bool:
        """Whether the run fits the GPU with room to spare."""
        return fit_of(self.total(config), gpu) is Fit.FITS


def fit_of(total: int, gpu: GpuMemory) -> Fit:
    """How a need in bytes goes with a GPU."""
    share = total / gpu.size
    if share <= COMFORTABLE:
        return Fit.FITS
    return Fit.TIGHT if share <= TIGHT else Fit.TOO_LARGE


def smallest_gpu(total: int) -> GpuMemory | None:
    """The smallest of the common sizes that a need in bytes fits; None if it fits none."""
    sizes = (GpuMemory(None, size) for size in COMMON)
    return next((gpu for gpu in sizes if fit_of(total, gpu) is Fit.FITS), None)


def smallest_stage(estimate: Estimate, config: RunConfig, gpu: GpuMemory) -> int | None:
    """The lowest ZeRO stage that fits with the other settings as they are; None if none does."""
    stages = {n: Change({DEEPSPEED: f"zero{n}"}).applied(config) for n in range(4)}
    return next((n for n, changed in stages.items() if estimate.fits(changed, gpu)), None)


def largest_batch(estimate: Estimate, config: RunConfig, gpu: GpuMemory) -> int:
    """The most samples a GPU can take at once with the other settings as they are; 0 if none."""

    def fits(samples: int) -> bool:
        return estimate.fits(at_once(config, samples).applied(config), gpu)

    # doubling finds an end to search up to: memory grows with the batch, without a bound known here
    high = 1
    while fits(high):
        high *= 2
    # the first size that does not fit lies above high // 2, which does
    return high // 2 + bisect_left(range(high // 2 + 1, high), True, key=lambda n: not fits(n))


def step_batch(estimate: Estimate, config: RunConfig, gpu: GpuMemory) -> Change | None:
    """The largest micro-batch that fits and that an optimizer step can be made of; None if none is.

    The step sees as many samples as it did: accumulation makes up for the difference.
    """
    # a divisor of the step's share, which the largest that fits need not be
    largest = largest_batch(estimate, config, gpu)
    found = (change for change in step_batches(config) if change.batch <= largest)
    return next(found, None)


def smallest_change(estimate: Estimate, config: RunConfig, gpu: GpuMemory) -> Change | None:
    """The first change that makes a run fit; None if nothing does.

    Of one kind alone, else of each kind on top of the strongest of those before it.
    """
    # mild ones alone before strong ones together: one setting is easier to judge than four
    for kind in KINDS:
        for change in kind(config):
            if estimate.fits(change.applied(config), gpu):
                return change
    before = Change({})
    for kind in KINDS:
        together = [before.then(change) for change in kind(before.applied(config))]
        for change in together:
            if estimate.fits(change.applied(config), gpu):
                return change
        # the strongest of this kind stays on while the next kind is tried
        before = together[-1] if together else before
    return None


@dataclass(frozen=True, slots=True)
class Need:
    """Need of one GPU, in bytes: the terms as computed, and their sum as runs so far correct it."""

    parameters: Parameters
    settings: MemorySettings
    batch: BatchSizes
    memory: Memory
    other_activations: int
    """With checkpointing if it is off, without if it is on."""
    correction: Correction
    total: int


@dataclass(frozen=True, slots=True)
class GpuFit:
    """Fit of a need and a GPU; `largest_batch` is samples, `smallest_stage` ZeRO's."""

    gpu: GpuMemory
    fit: Fit
    largest_batch: int
    smallest_stage: int | None
    change: Change | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a run's memory; `on_gpu` is None where the GPU's memory is not known.

    `smallest_gpu` has a common size; it is None if the run fits none of them.
    """

    need: Need
    on_gpu: GpuFit | None
    smallest_gpu: GpuMemory | None


def make_plan(config: RunConfig, site: Site, models: Path) -> Plan:
    """Plan of a run's memory before it is submitted; nothing is written.

    Raises:
        ConfigError: the model's shapes are not known, or settings do not go with it.
    """
    estimate = _estimate(config, site, models)
    need = _need(estimate, config)
    gpu = gpu_memory_of(config.resources, site.gpu_memory)
    on_gpu = None if gpu is None else _on_gpu(estimate, config, need, gpu)
    return Plan(need, on_gpu, smallest_gpu(need.total))


def with_batch_size(config: RunConfig, site: Site, models: Path) -> RunConfig:
    """The run with the largest micro-batch that fits; its optimizer steps see what they saw.

    Raises:
        ConfigError: the model's shapes or the GPU's memory are not known, or nothing fits.
    """
    if config.training.use_cpu:
        raise ConfigError(
            "--batch-size auto is for GPUs, not for training.use_cpu=true", hint="give a number"
        )
    gpu = gpu_memory_of(config.resources, site.gpu_memory)
    if gpu is None:
        raise ConfigError(
            f"--batch-size auto: how much memory {named(config)} has is not known",
            hint="name its type, as in --gpus h100:4, tell gpu_memory in the site file, or give "
            "a number",
        )
    estimate = _estimate(config, site, models)
    change = step_batch(estimate, config, gpu)
    if change is None:
        other = smallest_change(estimate, config, gpu)
        raise ConfigError(
            f"--batch-size auto: not one sample fits {gpu.gigabytes:g} GB",
            hint=other.flags() if other else "a smaller model, or a larger GPU",
        )
    return change.applied(config)


def named(config: RunConfig) -> str:
    """The GPU that a run gets, in words."""
    if config.training.use_cpu or not config.resources.gpus:
        return "the CPU"
    return (
        f"a GPU of type {kind}" if (kind := config.resources.gpus.kind) else "a GPU without a type"
    )


def _estimate(config: RunConfig, site: Site, models: Path) -> Estimate:
    # as the job will have them
    variables = {**os.environ, **site.variables()}
    architecture = find_architecture(config.model, config.entry, variables)
    known = correction(models, config.approach, config.model.model_name_or_path)
    return Estimate(architecture, known)


def _need(estimate: Estimate, config: RunConfig) -> Need:
    settings = memory_settings(config)
    return Need(
        parameters=count(estimate.architecture, settings.lora),
        settings=settings,
        batch=batch_sizes(config),
        memory=memory(estimate.architecture, settings),
        other_activations=activations(
            estimate.architecture, replace(settings, checkpointing=not settings.checkpointing)
        ),
        correction=estimate.correction,
        total=estimate.total(config),
    )


def _on_gpu(estimate: Estimate, config: RunConfig, need: Need, gpu: GpuMemory) -> GpuFit:
    fit = fit_of(need.total, gpu)
    # without DeepSpeed there are no stages to choose from
    sharded = need.settings.zero is not None
    return GpuFit(
        gpu=gpu,
        fit=fit,
        largest_batch=largest_batch(estimate, config, gpu),
        smallest_stage=smallest_stage(estimate, config, gpu) if sharded else None,
        change=None if fit is Fit.FITS else smallest_change(estimate, config, gpu),
    )
