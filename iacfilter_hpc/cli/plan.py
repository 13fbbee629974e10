"""iacfilter-submit --plan, and the look at a run's GPU memory before it is submitted."""

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
from iacfilter_hpc.gpu_memory.gpus import Card
from iacfilter_hpc.gpu_memory.plan import Fit, Need, Plan, make_plan, named
from iacfilter_hpc.runs.records import Planned

GB_HINT = "tell gpu_memory in the site file: see configs/site.example.yaml"
NO_CHANGE = "no setting makes it fit: a smaller model, or a larger GPU"


def show(config: RunConfig, site: Site, models: Path, as_json: bool) -> int:
    """Print the plan; the exit code: 1 if the run will not fit."""
    plan = make_plan(config, site, models)
    if as_json:
        terminal.print_json(_document(plan, config))
    else:
        print(_text(plan, config))
    return 1 if plan.fit and plan.fit.verdict == "will not fit" else 0


def check(config: RunConfig, site: Site, models: Path) -> Planned | None:
    """Warn of a run that will not fit, and let it go on; what was planned.

    None if nothing is known of the model, which is said, or if the run uses no GPU.
    """
    if config.training.use_cpu:
        return None
    try:
        plan = make_plan(config, site, models)
    except ConfigError as error:
        terminal.say(f"GPU memory was not checked: {error.message}")
        return None
    fit, total = plan.fit, plan.need.total
    if fit is not None and fit.verdict == "will not fit":
        terminal.say(f"warning: {_gib(total)} GiB will not fit the {_card(fit.card)}")
        terminal.say(f"hint: {_advice(fit.change)}")
    memory = plan.need.memory
    return Planned(memory.tensors, memory.inexact)


def _text(plan: Plan, config: RunConfig) -> str:
    need = plan.need
    lines = [
        *_head(need, config),
        "",
        terminal.table(("ON EACH GPU", "GiB"), _rows(need), numbers=("GiB",)),
        "",
        *(_verdict(plan.fit, need) if plan.fit else _without_card(plan, config)),
    ]
    return "\n".join(lines)


def _head(need: Need, config: RunConfig) -> list[str]:
    parameters, setting = need.parameters, need.setting
    share = 100 * parameters.trainable / parameters.total
    gpus = f"each of {setting.processes} GPUs" if setting.processes > 1 else "one GPU"
    zero = f", ZeRO stage {setting.stage}" if setting.zero else ""
    recomputed = ", activations recomputed" if setting.checkpointing else ""
    return [
        f"{config.model.model_name_or_path}: {parameters.total:,} parameters, "
        f"{parameters.trainable:,} of them train ({share:.2f} %)",
        f"{setting.tokens} tokens at once on {gpus}{zero}{recomputed}",
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
    if not memory.gathered:
        del terms["gathered by ZeRO-3"]
    rows = [(name, _gib(size)) for name, size in terms.items()]
    known = need.correction
    if known.runs:
        runs = "1 run has" if known.runs == 1 else f"{known.runs} runs have"
        shift = _gib(need.total - memory.total)
        rows.append((f"activations x {known.factor:.2f}, as {runs} shown", shift))
    otherwise = "kept" if need.setting.checkpointing else "recomputed"
    rows.append(("total", _gib(need.total)))
    return [*rows, (f"(activations if {otherwise}", f"{_gib(need.other_activations)})")]


def _verdict(fit: Fit, need: Need) -> list[str]:
    # up, so that no number reads as one of the verdict before
    share = ceil(100 * need.total / fit.card.size)
    lines = [f"{fit.verdict.capitalize()}: {share} % of the {_card(fit.card)}"]
    if fit.verdict != "fits":
        lines.append(f"  to fit: {_advice(fit.change)}")
    if need.setting.zero is not None:
        stage = "none" if fit.smallest_stage is None else str(fit.smallest_stage)
        lines.append(f"  smallest ZeRO stage that fits: {stage}")
    lines.append(f"  largest --batch-size that fits: {fit.largest_batch}")
    return lines


def _without_card(plan: Plan, config: RunConfig) -> list[str]:
    smallest = plan.smallest_card
    fitting = f"a card of {smallest.gigabytes:g} GB" if smallest else "no common card"
    lines = [f"Fits {fitting}; how much memory {named(config)} has is not known"]
    return lines if config.training.use_cpu else [*lines, f"  {GB_HINT}"]


def _advice(change: Change | None) -> str:
    return NO_CHANGE if change is None else change.flags()


def _card(card: Card) -> str:
    """Such as `74.5 GiB of h100 (80 GB)`."""
    return f"{_gib(card.size)} GiB of {card.kind or 'a GPU'} ({card.gigabytes:g} GB)"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"


def _document(plan: Plan, config: RunConfig) -> dict[str, object]:
    need, fit = plan.need, plan.fit
    return {
        "model": config.model.model_name_or_path,
        "parameters": need.parameters.total,
        "trainable_parameters": need.parameters.trainable,
        "processes": need.setting.processes,
        "zero_stage": need.setting.stage if need.setting.zero else None,
        "samples": need.setting.samples,
        "tokens": need.setting.tokens,
        "bytes": asdict(need.memory),
        "activations_otherwise": need.other_activations,
        "correction": {"factor": need.correction.factor, "runs": need.correction.runs},
        "total_bytes": need.total,
        "gpu": None if fit is None else {"type": fit.card.kind, "bytes": fit.card.size},
        "verdict": None if fit is None else fit.verdict,
        "smallest_zero_stage": None if fit is None else fit.smallest_stage,
        "largest_batch_size": None if fit is None else fit.largest_batch,
        "change": None if fit is None or fit.change is None else dict(fit.change.settings),
        "smallest_card_gb": plan.smallest_card.gigabytes if plan.smallest_card else None,
    }
