"""iacfilter_hpc.checkpoints.disk_errors: which errors of a save are of the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from iacfilter_hpc.checkpoints.disk_errors import is_disk_in_the_way

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "write",
    [
        lambda: torch.save({"a": torch.zeros(100_000)}, FULL),
        lambda: torch.save({"a": torch.zeros(9)}, FULL, _use_new_zipfile_serialization=False),
        lambda: torch.save({"a": torch.zeros(9)}, "/nowhere/at/all.pt"),
        lambda: save_file({"a": torch.zeros(9)}, "/nowhere/at/all.safetensors"),
        lambda: FULL.write_text("x"),
    ],
)
def test_real_errors_of_the_disk(write: Callable[[], object]) -> None:
    with pytest.raises((OSError, RuntimeError, SafetensorError)) as error:
        write()
    assert is_disk_in_the_way(error.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[../gloo/transport/tcp/pair.cc:553] Connection closed by peer [::1]:2249"),
        RuntimeError("CUDA error: uncorrectable ECC error encountered"),
        OSError(errno.ESTALE, os.strerror(errno.ESTALE)),
        SafetensorError("Error while serializing: I/O error: Input/output error (os error 5)"),
        ValueError("inline_container"),
    ],
)
def test_others(error: Exception) -> None:
    """These may not come again elsewhere: a run must not end of them."""
    assert not is_disk_in_the_way(error)
