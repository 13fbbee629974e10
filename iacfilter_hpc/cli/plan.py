"""GPU memory plan as text and JSON: iacfilter-submit --plan, and the check of each submission."""

from __future__ import annotations

from dataclasses import asdict
from math import ceil
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.gpu_memory.changes import Change
from iacfilter_hpc.gpu_memory.estimate import GIB
from iacfilter_hpc.gpu_memory.gpus import GpuMemory
from iacfilter_hpc.gpu_memory.plan import Fit, GpuFit, Need, Plan, make_plan, named
from iacfilter_hpc.runs.records import Planned

GB_HINT = "tell gpu_memory in the site file: see configs/site.example.yaml"
NO_CHANGE = "no setting makes it fit: a smaller model, or a larger GPU"


def show(config: RunConfig, site: Site, models: Path, as_json: bool) -> int:
    """Print the plan and return the exit code: 1 if the run will not fit.

    Raises:
        ConfigError: the model's shapes are not known, or settings do not go with it.
    """
    plan = make_plan(config, site, models)
    if as_json:
        terminal.print_json(_document(plan, config))
    else:
        print(_text(plan, config))
    return 1 if plan.on_gpu and plan.on_gpu.fit is Fit.TOO_LARGE else 0


def check(config: RunConfig, site: Site, models: Path) -> Planned | None:
    """Warn of a run that will not fit, and return what was planned, in bytes.

    None if nothing is known of the model, which is said, or if the run uses no GPU.
    """
    # no refusal: it is an estimate, which only the peaks of earlier runs correct
    if config.training.use_cpu:
        return None
    try:
        plan = make_plan(config, site, models)
    except ConfigError as error:
        # what cannot be planned may train: its model may be on the nodes alone
        terminal.say(f"GPU memory was not checked: {error.message}")
        return None
    found, total = plan.on_gpu, plan.need.total
    if found is not None and found.fit is Fit.TOO_LARGE:
        terminal.say(f"warning: {_gib(total)} GiB will not fit the {_named(found.gpu)}")
        terminal.say(f"hint: {_advice(found.change)}")
    memory = plan.need.memory
    return Planned(memory.tensors, memory.inexact)


def _text(plan: Plan, config: RunConfig) -> str:
    need = plan.need
    lines = [
        *_head(need, config),
        "",
        terminal.table(("ON EACH GPU", "GiB"), _rows(need), numbers=("GiB",)),
        "",
        *(_on_gpu(plan.on_gpu, need) if plan.on_gpu else _on_unknown_gpu(plan, config)),
    ]
    return "\n".join(lines)


def _head(need: Need, config: RunConfig) -> list[str]:
    parameters, settings = need.parameters, need.settings
    share = 100 * parameters.trainable / parameters.total
    how = [
        *([f"ZeRO stage {settings.stage}"] if settings.zero else []),
        *(["activations recomputed"] if settings.checkpointing else []),
    ]
    return [
        f"{config.model.model_name_or_path}: {parameters.total:,} parameters, "
        f"{parameters.trainable:,} of them train ({share:.2f} %)",
        need.batch.describe(),
        *([", ".join(how)] if how else []),
    ]


def _rows(need: Need) -> list[tuple[str, str]]:
    memory = need.memory
    terms = {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "Adam's states": memory.optimizer,
        "gathered by ZeRO-3": memory.gathered,
        "activations": memory.activations,
        "logits": memory.logits,
        "workspace (estimate)": memory.workspace,
    }
    # without ZeRO-3 it is zero, and the word means nothing
    if not memory.gathered:
        del terms["gathered by ZeRO-3"]
    rows = [(name, _gib(size)) for name, size in terms.items()]
    known = need.correction
    if known.runs:
        runs = "1 run has" if known.runs == 1 else f"{known.runs} runs have"
        shift = _gib(need.total - memory.total)
        rows.append((f"activations x {known.factor:.2f}, as {runs} shown", shift))
    otherwise = "kept" if need.settings.checkpointing else "recomputed"
    rows.append(("total", _gib(need.total)))
    return [*rows, (f"(activations if {otherwise}", f"{_gib(need.other_activations)})")]


def _on_gpu(found: GpuFit, need: Need) -> list[str]:
    # up, so that no share reads as one that would have been a better fit
    share = ceil(100 * need.total / found.gpu.size)
    lines = [f"{found.fit.capitalize()}: {share} % of the {_named(found.gpu)}"]
    if found.fit is not Fit.FITS:
        lines.append(f"  to fit: {_advice(found.change)}")
    if need.settings.zero is not None:
        stage = "none" if found.smallest_stage is None else str(found.smallest_stage)
        lines.append(f"  smallest ZeRO stage that fits: {stage}")
    lines.append(f"  largest --batch-size that fits: {found.largest_batch}")
    return lines


def _on_unknown_gpu(plan: Plan, config: RunConfig) -> list[str]:
    smallest = plan.smallest_gpu
    fitting = f"a card of {smallest.gigabytes:g} GB" if smallest else "no common card"
    lines = [f"Fits {fitting}; how much memory {named(config)} has is not known"]
    return lines if config.training.use_cpu else [*lines, f"  {GB_HINT}"]


def _advice(change: Change | None) -> str:
    return NO_CHANGE if change is None else change.flags()


def _named(gpu: GpuMemory) -> str:
    """Such as `74.5 GiB of h100 (80 GB)`."""
    return f"{_gib(gpu.size)} GiB of {gpu.kind or 'a GPU'} ({gpu.gigabytes:g} GB)"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"


def _document(plan: Plan, config: RunConfig) -> dict[str, object]:
    need, found = plan.need, plan.on_gpu
    # keys are read by other programs: they stay when what they come from is renamed
    return {
        "model": config.model.model_name_or_path,
        "parameters": need.parameters.total,
        "trainable_parameters": need.parameters.trainable,
        "zero_stage": need.settings.stage if need.settings.zero else None,
        **asdict(need.batch),
        # a device's share of a step, and tokens_at_once under its earlier name
        "samples": need.settings.samples,
        "tokens": need.settings.tokens,
        "bytes": asdict(need.memory),
        "activations_otherwise": need.other_activations,
        "correction": {"factor": need.correction.factor, "runs": need.correction.runs},
        "total_bytes": need.total,
        "gpu": None if found is None else {"type": found.gpu.kind, "bytes": found.gpu.size},
        "verdict": None if found is None else found.fit,
        "smallest_zero_stage": None if found is None else found.smallest_stage,
        "largest_batch_size": None if found is None else found.largest_batch,
        "change": None if found is None or found.change is None else dict(found.change.settings),
        "smallest_card_gb": plan.smallest_gpu.gigabytes if plan.smallest_gpu else None,
    }
