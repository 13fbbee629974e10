"""Whether the settings of a run agree with each other, where no single one of them is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iacfilter_hpc.config import Approach, RunConfig

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
        return [f"{config.num_processes} processes cannot be shared equally by --nodes {nodes}"]
    if config.num_processes > 1 and config.accelerate.deepspeed_config_file is None:
        return [f"{config.num_processes} processes need accelerate.deepspeed_config_file"]
    if asked is not None and asked != gpus and not config.training.use_cpu:
        return [f"accelerate.num_processes {asked} must equal --gpus {gpus}, or be null"]
    return []
