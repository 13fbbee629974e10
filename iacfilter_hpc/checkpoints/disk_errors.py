"""Disk errors, told from the others that can come while a checkpoint is written.

The run ends of an error of the disk, since it would come again, and may go on after the others.
"""

from __future__ import annotations

import re

from safetensors import SafetensorError

from iacfilter_hpc.errors import OF_THE_NODE

# What torch.save says where it cannot write: no class of its own tells it (torch 2.13)
TORCH = re.compile(
    r"inline_container|PytorchStreamWriter|iostream error|Parent directory|write\(\): fd"
)


def is_disk_in_the_way(error: Exception) -> bool:
    """Whether saving fails until a person makes room, or gives back the right to write.

    A process that is gone, a GPU that broke and a lost mount are none of these: they come as
    RuntimeError or OSError too, and the next attempt may save where this one could not.
    """
    if isinstance(error, OSError):
        return error.errno not in OF_THE_NODE
    # safetensors (Rust) keeps the errno in its message alone
    said = str(error)
    if isinstance(error, SafetensorError):
        return not any(f"(os error {number})" in said for number in OF_THE_NODE)
    return isinstance(error, RuntimeError) and TORCH.search(said) is not None
