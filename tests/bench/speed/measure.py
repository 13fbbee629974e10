"""Time, memory and arithmetic of pieces of work, several forms in turns."""

from __future__ import annotations

import ctypes
import gc
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Piece:
    """Some work: what it does, for how many samples, computing how many tokens, padding included.

    `useful` are the samples' own tokens.
    """

    work: Callable[[], object]
    samples: int
    tokens: int
    useful: int


@dataclass(slots=True)
class Measured:
    """Sums over the pieces of a form."""

    seconds: float = 0.0
    samples: int = 0
    tokens: int = 0
    useful: int = 0
    kept: list[object] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds


def in_turns(forms: dict[str, Sequence[Piece]], rounds: int) -> dict[str, Measured]:
    """Every piece of each form once, in `rounds` turns so that a busy moment meets all alike."""
    found = {name: Measured() for name in forms}
    for turn in range(rounds):
        for name, pieces in forms.items():
            for piece in pieces[turn * len(pieces) // rounds : (turn + 1) * len(pieces) // rounds]:
                _add(found[name], piece)
    return found


def peak_bytes(pieces: Sequence[Piece]) -> int:
    """The memory that the piece of most tokens needs beyond what was there before it."""
    before = _reset_peak()
    max(pieces, key=lambda piece: piece.tokens).work()
    return _peak() - before


def _add(measured: Measured, piece: Piece) -> None:
    started = time.perf_counter()
    measured.kept.append(piece.work())
    measured.seconds += time.perf_counter() - started
    measured.samples += piece.samples
    measured.tokens += piece.tokens
    measured.useful += piece.useful


def _reset_peak() -> int:
    """Begin a new peak of resident memory, and say what is resident now: proc(5), clear_refs."""
    gc.collect()
    # what was freed goes back to the system, or the next piece would seem to need nothing
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return int(match[1]) * 1024


def matmul_peak(size: int = 2048, seconds: float = 3.0) -> float:
    """FLOP a second of the best product of two square float32 matrices on this machine."""
    one, other = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        torch.mm(one, other, out=out)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best
