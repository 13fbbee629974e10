"""How many bytes of tensors are alive at once, by looking at every operation's results."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Watch(TorchDispatchMode):
    """Counts storages from their making to their end, but for those that are known."""

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self.alive = self.peak = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor.untyped_storage())
        return result

    def _see(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._lose, key, size)

    def _lose(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.alive -= size


def peak_of_a_step(model: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> int:
    """The most bytes alive at once in forward and backward pass, weights and gradients aside."""
    # a first step, so that the gradients are there
    loss().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    with Watch([*model.parameters(), *model.buffers(), *gradients]) as watch:
        loss().backward()
    return watch.peak
