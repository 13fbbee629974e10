"""Memory of the GPUs of a job: as the site tells of their type or partition, else by their type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from iacfilter_hpc.config.slurm_options import Resources

# as data sheets count, not 2**30
GB = 10**9
DEFAULT = "default"
COMMON = (16, 24, 32, 40, 48, 80, 94, 141)
"""Sizes of common GPUs in GB, ascending."""
KNOWN = {
    **dict.fromkeys(("t4", "rtx4080", "rtx5080"), 16),
    **dict.fromkeys(("a10", "a30", "l4", "rtx3090", "rtx4090", "titanrtx"), 24),
    **dict.fromkeys(("rtx5090",), 32),
    **dict.fromkeys(("a40", "l40", "l40s", "a6000", "rtxa6000", "rtx8000"), 48),
    **dict.fromkeys(("h100", "h800"), 80),
    **dict.fromkeys(("h100nvl",), 94),
    "h200": 141,
    "b200": 180,
}
"""GB of the types of which there is one size, or one that all but a few have.

Not of a100 (40, 80), v100 (16, 32), p100 (12, 16), rtx6000 (24, 48, 96), gh200 (96, 144).
Source: NVIDIA's data sheets, https://www.nvidia.com/en-us/data-center/products/
"""
STATED = re.compile(r"(\d{1,3})gb")
# what is the same card with or without: nvidia_l40s, tesla-t4, L40S
MAKER = re.compile(r"nvidia|tesla|geforce|quadro|[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """GPU memory of some type; a GB is 10^9 bytes, as much as a run can use of it.

    nvidia-smi shows 22.5 GiB for the 24 GB of an A10, 45.0 for the 48 of an L40S, with ECC on; an
    80 GB A100 has some 5 GiB more than is counted here.
    """

    kind: str | None
    gigabytes: float

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.gigabytes * GB)


def gpu_memory_of(resources: Resources, told: Mapping[str, float]) -> GpuMemory | None:
    """The memory of each GPU that a run gets: as the site tells (`told`, in GB), else its type.

    None if neither tells.
    """
    kind = resources.gpus.kind
    sizes = {_plain(name): size for name, size in told.items()}
    # the type first: GPUs of several may share a partition; `default` is no word on a named type
    names = [kind, resources.partition, *([DEFAULT] if kind is None else [])]
    for name in names:
        if name is not None and (size := sizes.get(_plain(name))) is not None:
            return GpuMemory(kind, size)
    if kind is None:
        return None
    # as nvidia_a100-sxm4-80gb, Slurm's own name where it finds GPUs by itself
    if stated := STATED.search(kind.lower()):
        return GpuMemory(kind, int(stated[1]))
    known = KNOWN.get(MAKER.sub("", kind.lower()))
    return None if known is None else GpuMemory(kind, known)


def _plain(kind: str) -> str:
    return kind.lower().replace("-", "_")
